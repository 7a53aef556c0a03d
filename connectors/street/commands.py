"""`mykey-hub streets`: streets taken in, keys drawn and ended, merges looked at, dropped again and given back."""

import argparse
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from rich.console import Console

from connectors.street.component import component
from hub.accounts import account_name
from hub.asking import DEADLINE_S, Commands, RefusedError, act, asked, check, handed_over, public_key_in, run, told_in
from hub.bus import Bus
from hub.clock import JAPAN, SystemClock
from hub.component import Installed
from hub.ids import uuid7
from hub.printing import Listing
from schemas.parties import KeyAlgorithm
from schemas.problems import Refusal, RefusalCode
from schemas.streets import (
    CipherMode,
    EndMergeKey,
    EndStreetSigner,
    GiveMergeBack,
    MergeKey,
    MergesOf,
    RedeliverMerge,
    RegisterMergeKey,
    RegisterStreet,
    RegisterStreetSigner,
    Street,
    StreetsOf,
)
from schemas.terminals import AgentKeyOf

ASKER: Final = Installed("street", component)
PAGES_LIMIT: Final = 20
SECRET_CHARS: Final = 32
MAC_KEY_BYTES: Final = 32


def main(arguments: Sequence[str]) -> int:
    """Shopping streets: taken in, their keys; merges looked at, dropped again, given back.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub streets", description="Shopping streets that merge points.")
    add = Commands(made).add
    add("list", "the streets there are", _list)
    register = add("register", "take a street in, or change its settings, by a file in TOML", _register)
    register.add_argument("file", type=Path)
    key = add("key", "draw a key, and write it for the street, the only place where it stands", _key, "code", "key_id")
    key.add_argument("--from", dest="valid_from", type=datetime.fromisoformat, required=True, metavar="TIME")
    key.add_argument("--to", dest="valid_to", type=datetime.fromisoformat, metavar="TIME")
    key.add_argument("--out", type=Path, required=True, metavar="FILE")
    end = add("end-key", "from that moment on a key makes no file", _end_key, "code", "key_id")
    end.add_argument("--at", dest="valid_to", type=datetime.fromisoformat, required=True, metavar="TIME")
    signer = add("signer", "register the Ed25519 public key of the street's server, in PEM", _signer, "code", "key_id")
    signer.add_argument("file", type=Path)
    ends = add("end-signer", "from that moment on nothing is signed with the key", _end_signer, "code", "key_id")
    ends.add_argument("--at", type=datetime.fromisoformat, metavar="TIME", help="left out: now")
    merges = add("merges", "merges that their street has not answered", _merges, "code")
    merges.add_argument("--all", action="store_true", help="the answered ones too")
    add("redeliver", "have a file dropped again, where the street wants it now", _redeliver, "merge_id")
    back = add("return", "give points back to the citizen, where the street will not answer", _return, "number")
    back.add_argument("--reason", required=True, help="kept with your name")
    back.add_argument(
        "--street-confirmed",
        action="store_true",
        help="the street says that it has not added the points, and has removed the file",
    )
    return made


async def _list(bus: Bus, _options: argparse.Namespace, console: Console) -> None:
    found = await bus.call(StreetsOf(), DEADLINE_S)
    headings = ("商店街", "ID付与事業者", "名称", "方式", "受渡し先", "注意")
    table = Listing(*headings, whole={"商店街", "ID付与事業者", "受渡し先"})
    for one in found.streets:
        destination, warning = one.deliver_to or "合算した端末", one.layout.warning or ""
        table.add_row(one.code, one.issuer_id, one.name, one.layout.mode.value, destination, warning)
    console.print(table)


async def _register(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    told = told_in(options.file)
    streets = (await bus.call(StreetsOf(), DEADLINE_S)).streets
    known = {one.code: one for one in streets}
    before = known.get(str(told.get("code")))
    street = asked(Street, street_id=before.street_id if before else uuid7(), **told)
    _check_issuer(street, streets)
    if street.deliver_to is not None:
        await _check_terminal(bus, street.deliver_to)
    await act(bus, "streets register", RegisterStreet(street=street), [f"street:{street.code}"])
    console.print(f"{street.code} {street.street_id}")
    if street.layout.warning is not None:
        console.print(f"warning: {street.layout.warning}")


def _check_issuer(street: Street, streets: Sequence[Street]) -> None:
    """The hub would refuse it too, and not say what is in the way."""
    for one in streets:
        if one.street_id == street.street_id and one.issuer_id != street.issuer_id:
            raise RefusedError(f"{one.code} has the issuer_id {one.issuer_id}, which stays: put that into the file")
        if one.street_id != street.street_id and one.issuer_id == street.issuer_id:
            taken = f"issuer_id {one.issuer_id} is taken by the street {one.code} ({one.name})"
            raise RefusedError(
                f"{taken}: put the street's own into the file, or that one's code to change its settings"
            )


async def _check_terminal(bus: Bus, terminal_id: str) -> None:
    """Files for a terminal that is none would wait for ever."""
    if not (await bus.call(AgentKeyOf(terminal_id=terminal_id), DEADLINE_S)).kind:
        refusal = Refusal.of(RefusalCode.unknown_terminal)
        raise RefusedError(f"deliver_to {terminal_id}: {refusal.detail} {refusal.detail_ja}")


async def _key(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    street = await _street(bus, options.code)
    mode = street.layout.mode
    key = asked(
        MergeKey,
        key_id=options.key_id,
        valid_from=_in_japan(options.valid_from),
        valid_to=None if options.valid_to is None else _in_japan(options.valid_to),
        cipher_key=secrets.token_bytes(mode.key_bytes),
        secret="" if mode.is_v2 else secrets.token_urlsafe(SECRET_CHARS)[:SECRET_CHARS],
        mac_key=secrets.token_bytes(MAC_KEY_BYTES) if mode is CipherMode.cbc_hmac else None,
    )
    hub_key = (await bus.call(StreetsOf(), DEADLINE_S)).hub_key
    with handed_over(options.out, key_file(key, hub_key if mode.is_v2 else "")):
        command = RegisterMergeKey(street_id=street.street_id, merge_key=key)
        await act(bus, "streets key", command, [f"street:{street.code}", f"key:{key.key_id}"])
    console.print(f"the key is in {options.out}, the only place where it stands: hand it over, then remove the file")


def key_file(key: MergeKey, hub_key: str) -> str:
    """The lines for `street.toml` of docs/streets.md."""
    lines = [f"hub_key = '''{hub_key}'''"] if hub_key else []
    lines += ["[[keys]]", f'id = "{key.key_id}"', f"valid_from = {key.valid_from.isoformat()}"]
    if key.valid_to is not None:
        lines.append(f"valid_to = {key.valid_to.isoformat()}")
    lines.append(f'key = "{key.cipher_key.hex()}"')
    if key.secret:
        lines.append(f'secret = "{key.secret}"')
    if key.mac_key is not None:
        lines.append(f'mac_key = "{key.mac_key.hex()}"')
    return "\n".join([*lines, ""])


async def _end_key(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    street, ends = await _street(bus, options.code), _in_japan(options.valid_to)
    command = asked(EndMergeKey, street_id=street.street_id, key_id=options.key_id, valid_to=ends)
    await act(bus, "streets end-key", command, [f"street:{street.code}", f"key:{command.key_id}"])
    console.print(f"{options.key_id} ends at {ends.isoformat()}")


async def _signer(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    """The private half stays with the street."""
    street = await _street(bus, options.code)
    command = asked(
        RegisterStreetSigner,
        street_id=street.street_id,
        key_id=options.key_id,
        algorithm=KeyAlgorithm.ed25519,
        key_bytes=public_key_in(options.file),
    )
    await act(bus, "streets signer", command, [f"street:{street.code}", f"key:{command.key_id}"])
    console.print(f"{options.key_id} is registered: {street.code} may sign its requests with it")


async def _end_signer(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    street, ends_at = await _street(bus, options.code), _in_japan(options.at or SystemClock().now())
    command = asked(EndStreetSigner, street_id=street.street_id, key_id=options.key_id, ends_at=ends_at)
    await act(bus, "streets end-signer", command, [f"street:{street.code}", f"key:{command.key_id}"])
    console.print(f"{options.key_id} ends at {ends_at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}")


async def _merges(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    street, after = await _street(bus, options.code), None
    headings = ("合算", "取引済番号", "端末ID", "ポイント", "状態", "開始", "届かない理由", "返却の理由")
    table = Listing(*headings, whole={"合算", "取引済番号", "端末ID"}, right={"ポイント"})
    for _ in range(PAGES_LIMIT):
        query = MergesOf(street_id=street.street_id, open_only=not options.all, after=after)
        found = await bus.call(query, DEADLINE_S)
        for one in found.merges:
            why = "" if one.undelivered is None else Refusal.of(one.undelivered).detail_ja
            at = f"{one.started_at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}"
            table.add_row(
                str(one.merge_id), one.number, one.terminal_id, f"{one.points:,}", one.state.value, at, why, one.reason
            )
        after = found.after
        if after is None:
            break
    console.print(table)


async def _redeliver(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(RedeliverMerge, merge_id=options.merge_id)
    await act(bus, "streets redeliver", command, [f"merge:{command.merge_id}"])
    console.print(f"{command.merge_id} is dropped again")


async def _return(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(
        GiveMergeBack,
        merge_id=await _merge_id(bus, options.number),
        operator=account_name(os.getuid()),
        reason=options.reason,
        street_confirmed=options.street_confirmed,
    )
    await act(bus, "streets return", command, [f"merge:{command.merge_id}"], command.reason)
    console.print(f"{options.number}: the points are the citizen's again")


async def _merge_id(bus: Bus, number: str) -> UUID:
    streets = (await bus.call(StreetsOf(), DEADLINE_S)).streets
    queries = [asked(MergesOf, street_id=one.street_id, open_only=False, number=number) for one in streets]
    for found in await bus.call_many(queries, DEADLINE_S):
        for one in found.merges:
            return one.merge_id
    check(RefusalCode.no_merge)
    raise RefusedError(number)


async def _street(bus: Bus, code: str) -> Street:
    """By its code, or by its id, as mails name it."""
    for one in (await bus.call(StreetsOf(), DEADLINE_S)).streets:
        if code in {one.code, str(one.street_id)}:
            return one
    check(RefusalCode.unknown_street)
    raise RefusedError(code)


def _in_japan(at: datetime) -> datetime:
    """A time as people type it, unless it names its offset."""
    return at.replace(tzinfo=JAPAN) if at.tzinfo is None else at
