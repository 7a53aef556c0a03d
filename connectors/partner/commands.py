"""`mykey-hub parties`: partners, shops and funds taken in, their keys, pages, ways to log in, limits; and tried out."""

import argparse
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from rich.console import Console

from connectors.partner.component import component
from hub.asking import (
    DEADLINE_S,
    Commands,
    RefusedError,
    act,
    asked,
    check,
    handed_over,
    public_key_in,
    read_file,
    run,
)
from hub.bus import Bus
from hub.clock import JAPAN, SystemClock
from hub.component import Installed
from hub.ids import uuid7
from hub.printing import Listing
from schemas.connections import PartnerReached, ShopReached
from schemas.id_links import MembershipCheck, OpenIdProvider, SetUpLinkage, TokenAlgorithm
from schemas.links import LOGO_LIMIT_BYTES, Linkage, PartiesOf, PresentParty
from schemas.parties import (
    EndPartyKey,
    KeyAlgorithm,
    LimitParty,
    PartyKeyNames,
    PartyKeysOf,
    PartyKind,
    PartyLimits,
    PartyLimitsOf,
    RegisterParty,
    RegisterPartyKey,
)
from schemas.problems import RefusalCode

ASKER: Final = Installed("partner", component)
KINDS: Final = (PartyKind.partner, PartyKind.shop, PartyKind.fund)
SECRET_BYTES: Final = 32
FILE_LIMIT_BYTES: Final = LOGO_LIMIT_BYTES
TEST_DEADLINE_S: Final = 20.0
USUAL_ALGORITHMS: Final = tuple(one.value for one in OpenIdProvider.model_fields["algorithms"].default)
NUMBERS: Final = tuple(name for name in PartyLimits.model_fields if name != "pools")


class NotInOrderError(RefusedError):
    """A step of the test failed."""


def main(arguments: Sequence[str]) -> int:
    """Partners, shops and funds: taken in, their keys, pages and limits; tried out.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub parties", description="Partner companies, online shops and funds.")
    add = Commands(made).add
    add("list", "the parties there are", _list)
    register = add("register", "take a party in", _register)
    register.add_argument("kind", choices=[kind.value for kind in KINDS])
    register.add_argument("name")
    register.add_argument("--id", type=UUID, metavar="UUID", help="its id, if it has one already; else one is drawn")
    add("show", "a party's keys, limits and page", _show, "party_id")
    key = add("key", "register its Ed25519 public key, a PEM file that the party has sent", _key, "party_id", "key_id")
    key.add_argument("file", type=Path)
    secret = add("secret", "draw a shared secret (HMAC-SHA256) into a new file", _secret, "party_id", "key_id")
    secret.add_argument("--out", type=Path, required=True, metavar="FILE")
    end = add("end-key", "from that moment on a key is good for nothing: the last step of a change", _end_key)
    end.add_argument("party_id")
    end.add_argument("key_id")
    end.add_argument("--at", type=datetime.fromisoformat, metavar="TIME", help="left out: now")
    _add_page(add("page", "how citizens see it, the whole of it (画面40, 57)", _page, "party_id"))
    _add_log_in(add("log-in", "how it proves its members: OpenID Connect, or its own page", _log_in, "party_id"))
    limit = add("limit", "what was agreed, the whole of it; what is left out is as for everybody", _limit, "party_id")
    for name in NUMBERS:
        limit.add_argument(f"--{name.replace('_', '-')}", metavar="N")
    limit.add_argument("--pool", action="append", help="reserve, scheme:… or event:…; again for each; none: anywhere")
    add("test", "is it in order: registered, with a key, heard from lately?", _test, "party_id")
    return made


def _add_page(page: argparse.ArgumentParser) -> None:
    page.add_argument(
        "--linkage",
        choices=[one.value for one in Linkage],
        default=Linkage.id_link.value,
        help="id_link (also where left out): citizens link their account; coupon: they enter its codes",
    )
    page.add_argument("--url", required=True, help="its own page; a shop's citizens come back to this site only")
    page.add_argument("--about", default="", help="a line about it")
    page.add_argument("--logo", type=Path, metavar="FILE", help=f"PNG of at most {LOGO_LIMIT_BYTES} bytes")
    page.add_argument("--answers-for-coupons", action="store_true", help="it is asked for codes it has not registered")


def _add_log_in(log_in: argparse.ArgumentParser) -> None:
    way = log_in.add_mutually_exclusive_group(required=True)
    way.add_argument("--issuer", metavar="URL", help="of its OpenID provider")
    way.add_argument("--page", metavar="URL", help="its own log-in page, where it has no OpenID provider")
    log_in.add_argument("--client-id", metavar="ID", help="ours at that provider")
    log_in.add_argument(
        "--algorithm",
        action="append",
        choices=[one.value for one in TokenAlgorithm],
        help=f"how its ID tokens may be signed; again for each; left out: {', '.join(USUAL_ALGORITHMS)}",
    )


async def _list(bus: Bus, _options: argparse.Namespace, console: Console) -> None:
    table = Listing("事業者ID", "種別", "名称", "連携方式", "ページ", whole={"事業者ID"})
    for one in (await bus.call(PartiesOf(kinds=KINDS), DEADLINE_S)).parties:
        table.add_row(str(one.party_id), one.kind.value, one.name, one.linkage or "", one.page_url)
    console.print(table)


async def _register(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(RegisterParty, party_id=options.id or uuid7(), kind=PartyKind(options.kind), name=options.name)
    await act(bus, "parties register", command, [f"party:{command.party_id}"])
    console.print(f"{command.party_id} {command.kind.value} {command.name}")


async def _show(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    party_id = asked(PartyKeysOf, party_id=options.party_id).party_id
    found = await _found(bus, party_id)
    (view,) = (await bus.call(PartiesOf(party_ids=(party_id,)), DEADLINE_S)).parties
    limits = await bus.call(PartyLimitsOf(party_id=party_id), DEADLINE_S)
    console.print(f"{found.name} ({found.kind})  {view.linkage or 'no page yet'}  {view.page_url}  {view.about}")
    keys = Listing("鍵ID", "方式", "終了", whole={"鍵ID"})
    for name, algorithm in found.keys.items():
        ends = found.ends.get(name)
        keys.add_row(name, algorithm.value, "" if ends is None else f"{ends.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}")
    console.print(keys)
    agreed = Listing("制限", "取り決め", whole={"制限"})
    for name in NUMBERS:
        value = getattr(limits, name)
        agreed.add_row(name, "全体と同じ" if value is None else f"{value:,g}")
    agreed.add_row("pools", "どこへでも" if limits.pools is None else "\n".join(limits.pools))
    console.print(agreed)


async def _found(bus: Bus, party_id: UUID) -> PartyKeyNames:
    found = await bus.call(PartyKeysOf(party_id=party_id), DEADLINE_S)
    if found.kind is None:
        check(RefusalCode.unknown_party)
    return found


async def _key(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    """The private half stays with the party."""
    await _register_key(bus, "parties key", options, KeyAlgorithm.ed25519, public_key_in(options.file))
    console.print(f"{options.key_id} is registered: requests may be signed with it")


async def _secret(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    drawn = secrets.token_bytes(SECRET_BYTES)
    with handed_over(options.out, f"{drawn.hex()}\n"):
        await _register_key(bus, "parties secret", options, KeyAlgorithm.hmac_sha256, drawn)
    where = options.out
    console.print(f"the secret is in {where}, in hexadecimal, and nowhere else: hand it over, then remove the file")


async def _register_key(
    bus: Bus, words: str, options: argparse.Namespace, algorithm: KeyAlgorithm, key_bytes: bytes
) -> None:
    command = asked(
        RegisterPartyKey,
        party_id=options.party_id,
        key_id=options.key_id,
        algorithm=algorithm,
        key_bytes=key_bytes,
    )
    await act(bus, words, command, [f"party:{command.party_id}", f"key:{command.key_id}"])


async def _end_key(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    at = options.at or SystemClock().now()
    ends_at = at.replace(tzinfo=JAPAN) if at.tzinfo is None else at
    command = asked(EndPartyKey, party_id=options.party_id, key_id=options.key_id, ends_at=ends_at)
    await act(bus, "parties end-key", command, [f"party:{command.party_id}", f"key:{command.key_id}"])
    console.print(f"{command.key_id} ends at {ends_at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}")


async def _page(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(
        PresentParty,
        party_id=options.party_id,
        linkage=Linkage(options.linkage),
        page_url=options.url,
        about=options.about,
        asks_coupons=options.answers_for_coupons,
        logo=b"" if options.logo is None else read_file(options.logo, FILE_LIMIT_BYTES),
    )
    await act(bus, "parties page", command, [f"party:{command.party_id}"])
    console.print(f"citizens see it so from now on: {command.page_url}")


async def _log_in(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    provider = membership = None
    if options.issuer is None:
        membership = asked(MembershipCheck, login_url=options.page)
    else:
        algorithms = {} if options.algorithm is None else {"algorithms": tuple(map(TokenAlgorithm, options.algorithm))}
        provider = asked(OpenIdProvider, issuer=options.issuer, client_id=options.client_id, **algorithms)
    command = asked(SetUpLinkage, party_id=options.party_id, provider=provider, membership=membership)
    await _found(bus, command.party_id)
    await act(bus, "parties log-in", command, [f"party:{command.party_id}"])
    console.print("its members can be proven")


async def _limit(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    numbers = {name: getattr(options, name) for name in NUMBERS}
    limits = asked(PartyLimits, **numbers, pools=None if options.pool is None else tuple(options.pool))
    command = asked(LimitParty, party_id=options.party_id, limits=limits)
    await act(bus, "parties limit", command, [f"party:{command.party_id}"])
    console.print("agreed; every door holds to it within half a minute")


async def _test(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    party_id = asked(PartyKeysOf, party_id=options.party_id).party_id
    kind = (await _found(bus, party_id)).kind
    query = PartnerReached(party_id=party_id) if kind is PartyKind.partner else ShopReached(party_id=party_id)
    tested = await bus.call(query, TEST_DEADLINE_S)
    for step in tested.steps:
        console.print(f"{'good' if step.ok else 'FAILED':6}  {step.name}: {step.detail}")
    if not tested.ok:
        raise NotInOrderError(str(party_id))
