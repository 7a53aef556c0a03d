"""Commands that change who may act are written down: who, when, on what; nothing of what they draw or are told."""

import argparse
import io
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from rich.console import Console

from connectors.checkout import commands as offers
from connectors.library import commands as libraries
from connectors.operations import acts, issuers, municipalities, service_ids, settlement, tables
from connectors.partner import commands as parties
from connectors.street import commands as streets
from connectors.terminal import commands as terminals
from hub.accounts import account_name
from hub.asking import RefusedError, carry_out
from hub.process import HubProcess
from hub.settings import Settings
from schemas.acts import RecordAct
from schemas.offers import Offer, PostOffer, ScreenBusiness
from schemas.service_ids import RegisterServiceId
from tests.running import SECRET_KEY, running
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, rows_of
from tests.workers.registry.conftest import citizen

PROGRAMS: Final[dict[str, ModuleType]] = {
    "issuers": issuers,
    "libraries": libraries,
    "municipalities": municipalities,
    "offers": offers,
    "parties": parties,
    "service-ids": service_ids,
    "settlement": settlement,
    "streets": streets,
    "terminals": terminals,
}
COMPONENTS: Final = (
    "registry",
    "ledger",
    "partner",
    "goods",
    "checkout",
    "library",
    "street",
    "terminal",
    "operations",
)
READ_ONLY: Final = {
    *("issuers list", "libraries list", "municipalities schemes", "municipalities events"),
    "municipalities places",
    *("offers list", "offers referrals", "parties list", "parties show", "parties test"),
    *("service-ids linked-close", "streets list", "streets merges", "terminals list"),
}
ACTS: Final = "SELECT at, operator, role, via, targets, reason, result FROM operations.act ORDER BY act_id"
CITY: Final = "232343"
STAFF: Final = str(UUID(int=0x57))
EVENT, REFERRAL, MERGE = (str(UUID(int=number)) for number in (0xE1, 0xF2, 0xAE))
CITIZEN, OPERATION = (str(UUID(int=number)) for number in (0xC1, 0x0B))
SHOP, FUND = (str(UUID(int=number)) for number in (0x51, 0xF1))
FILES: Final = {
    "issuer.toml": f'issuer_id="000123"\nname="図書館"\nkind="library"\nlg_code="{CITY}"\npattern="[0-9]+"\n',
    "office.toml": """account = {bank_code="9999", bank="銀行", branch_code="001", branch="本店", kind="current", \
        number="0012345", holder="シ"}""",
    "site.toml": 'issuer_id="000123"\nhost="127.0.0.1"\nport=1\nlogin="term1"\npassword="opensesame-4711"\n',
    "street.toml": 'issuer_id="000777"\ncode="honmachi"\nname="本町商店街"\n',
    "plan.csv": "kind,place,issuer_id,point_use_too,mobile,count\nservice_id,中央図書館,000123,,,1\n",
}


@dataclass
class Desk:
    """A command line beside a hub at work, and what was typed on it."""

    process: HubProcess
    database_url: str
    folder: Path
    typed: list[tuple[str, list[str]]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    async def run(self, words: str, *more: str, on: Sequence[str]) -> str:
        """What it shows; `on` is what has to be written down as its targets."""
        program, name = words.split()
        self.typed.append((words, list(on)))
        console = Console(record=True, width=240, file=io.StringIO())
        settings = Settings(database_url=self.database_url, secret_key=SecretStr(SECRET_KEY))
        module: Any = PROGRAMS[program]
        await carry_out(module._parser().parse_args([name, *more]), settings, console, module.ASKER)
        self.shown.append(console.export_text())
        return self.shown[-1]

    def file(self, name: str) -> str:
        """Where a file with this content is, or may be made."""
        path = self.folder / name
        if name in FILES:
            path.write_text(FILES[name], encoding="utf-8")
        if name.endswith(".pem"):
            public = Ed25519PrivateKey.generate().public_key()
            path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return str(path)

    def issued(self) -> list[str]:
        """The cells of the first terminal in the list to hand out."""
        return (self.folder / "list.csv").read_text("utf-8-sig").splitlines()[1].split(",")

    async def acts(self) -> list[asyncpg.Record]:
        """All that is written down, once it is as much as was typed."""

        async def are_there() -> bool:
            return len(await rows_of(self.database_url, ACTS)) >= len(self.typed)

        await wait_until(are_there)
        return await rows_of(self.database_url, ACTS)


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(database_url, *COMPONENTS) as process:
        yield Desk(process, database_url, tmp_path)


async def _who_takes_part(desk: Desk) -> None:
    city = f"municipality:{CITY}"
    await desk.run("municipalities scheme", CITY, "ポイント", "none", "--office", desk.file("office.toml"), on=[city])
    assert "0012345" in await desk.run("municipalities office", CITY, "--whole", on=[city])
    event = (CITY, "催し", "2017-10-01", "2017-10-31", "--id", EVENT)
    await desk.run("municipalities event", *event, on=[city, f"event:{EVENT}"])
    await desk.run("municipalities place", CITY, "精肉店", on=[city])
    await desk.run("issuers register", desk.file("issuer.toml"), on=["issuer:000123"])
    await desk.run("libraries register", desk.file("site.toml"), on=["issuer:000123"])
    for kind, party_id in (("shop", SHOP), ("fund", FUND)):
        await desk.run("parties register", kind, "名物", "--id", party_id, on=[f"party:{party_id}"])
    shop = f"party:{SHOP}"
    await desk.run("parties key", SHOP, "shop-1", desk.file("key.pem"), on=[shop, "key:shop-1"])
    await desk.run("parties secret", SHOP, "shop-2", "--out", desk.file("secret"), on=[shop, "key:shop-2"])
    await desk.run("parties end-key", SHOP, "shop-1", on=[shop, "key:shop-1"])
    await desk.run("parties page", SHOP, "--url", "https://shop.example/", on=[shop])
    await desk.run("parties log-in", SHOP, "--page", "https://shop.example/log-in", on=[shop])
    await desk.run("parties limit", SHOP, "--rows-at-once", "1", on=[shop])


async def _what_offices_decide(desk: Desk) -> None:
    await desk.process.drained(deadline_s=10)
    for party_id in (SHOP, FUND):
        on = [f"municipality:{CITY}", f"party:{party_id}"]
        await desk.run("offers apply", CITY, party_id, "direct", "--mail", "points@city.example", on=on)
    offer = Offer(offer_id="rice", title="米", merchant="商店", page_url="https://shop.example/rice")
    assert (await ask(desk.process, PostOffer(party_id=UUID(SHOP), offer=offer, lg_codes=(CITY,)))).code is None
    for name, decision_id, *comment in (("approve", MERGE), ("send-back", EVENT, "--comment", "産地は。")):
        words = (CITY, SHOP, "rice", "1", "--staff", STAFF, "--id", decision_id, *comment)
        on = [f"municipality:{CITY}", f"party:{SHOP}", "offer:rice", f"decision:{decision_id}", f"staff:{STAFF}"]
        await desk.run(f"offers {name}", *words, on=on)
    on = [f"municipality:{CITY}", f"party:{FUND}", f"referral:{REFERRAL}"]
    await desk.run("offers refer", CITY, FUND, "茶園", "--id", REFERRAL, on=on)
    screened = ScreenBusiness(referral_id=UUID(REFERRAL), party_id=UUID(FUND), passed=True)
    assert (await ask(desk.process, screened)).code is None
    on = [f"municipality:{CITY}", f"referral:{REFERRAL}", f"staff:{STAFF}"]
    await desk.run("offers consent", CITY, REFERRAL, "--staff", STAFF, on=on)


async def _streets(desk: Desk) -> None:
    street, key = "street:honmachi", ["street:honmachi", "key:2017-1"]
    await desk.run("streets register", desk.file("street.toml"), on=[street])
    drawn = ("honmachi", "2017-1", "--from", "2017-04-01", "--out", desk.file("key.toml"))
    await desk.run("streets key", *drawn, on=key)
    await desk.run("streets end-key", "honmachi", "2017-1", "--at", "2017-12-01", on=key)
    await desk.run("streets signer", "honmachi", "honmachi-1", desk.file("street.pem"), on=[street, "key:honmachi-1"])
    await desk.run("streets end-signer", "honmachi", "honmachi-1", on=[street, "key:honmachi-1"])


async def _terminals(desk: Desk) -> None:
    city = f"municipality:{CITY}"
    await desk.run("terminals plan", CITY, "--file", desk.file("plan.csv"), on=[city])
    await desk.run("terminals issue", CITY, "--csv", desk.file("list.csv"), on=[city])
    terminal_id = desk.issued()[0]
    await desk.run("terminals renew", terminal_id, on=[f"terminal:{terminal_id}"])
    await desk.run("terminals suspend", terminal_id, "--reason", "盗難", on=[f"terminal:{terminal_id}"])
    await desk.run("terminals resume", terminal_id, on=[f"terminal:{terminal_id}"])


async def _details(desk: Desk) -> None:
    for name in ("partners", "places"):
        words = (CITY, "2017-10-01", "2017-10-31")
        await desk.run(f"settlement {name}", *words, "--details", desk.file(f"{name}.csv"), on=[f"municipality:{CITY}"])


async def _card_numbers(desk: Desk) -> None:
    await ask(desk.process, citizen(0xC1))
    linked = {"citizen_id": CITIZEN, "issuer_id": "000123", "number": "4711", "operation_id": OPERATION}
    register = RegisterServiceId.model_validate({**linked, "terminal_id": f"T{CITY}0ABCDE"})
    assert (await ask(desk.process, register)).code is None
    on = ["issuer:000123", f"operation:{OPERATION}"]
    words = (CITIZEN, "000123", "--reason", "別の人の番号", "--id", OPERATION)
    await desk.run("service-ids remove", *words, on=on)


async def test_each_command_that_changes_something_leaves_who_when_and_on_what(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody.else")
    began = datetime.now(UTC)
    for part in (_who_takes_part, _what_offices_decide, _streets, _terminals, _details, _card_numbers):
        await part(desk)
    found = await desk.acts()
    assert [(json.loads(one["result"])["command"], one["targets"]) for one in found] == desk.typed
    assert {(one["operator"], one["role"], one["via"]) for one in found} == {
        (account_name(os.getuid()), "supervisor", "terminal")
    }
    assert all(began <= one["at"] <= datetime.now(UTC) for one in found)
    assert [one["reason"] for one in found if one["reason"]] == ["盗難", "別の人の番号"]
    assert not [one for one in found if "error" in json.loads(one["result"])]

    told = json.dumps([list(map(str, one.values())) for one in found], ensure_ascii=False)
    secrets = [(desk.folder / "secret").read_text().strip(), "opensesame-4711", "term1", "0012345"]
    secrets += [line.split('"')[1] for line in (desk.folder / "key.toml").read_text().splitlines() if '"' in line][1:]
    secrets += [desk.issued()[1], CITIZEN]
    assert [one for one in secrets if one in told] == []

    done = {words for words, _ in desk.typed} | {"streets redeliver", "streets return"}
    assert done == _all_commands() - READ_ONLY, "whoever adds a command says here whether it changes something"


async def test_what_was_refused_is_told_after_it(desk: Desk) -> None:
    with pytest.raises(RefusedError):
        await desk.run("streets redeliver", MERGE, on=[f"merge:{MERGE}"])
    (begun, refused), on = await _two(desk), [f"merge:{MERGE}"]
    assert (json.loads(begun["result"]), begun["targets"]) == ({"command": "streets redeliver"}, on)
    told = {"command": "streets redeliver", "error": "RefusedError"}
    assert (json.loads(refused["result"]), refused["targets"]) == (told, on)


async def test_an_act_that_is_told_twice_is_written_down_once(desk: Desk) -> None:
    now = datetime(2017, 10, 2, tzinfo=UTC)
    on = (f"party:{SHOP}", "key:shop-1")
    told = RecordAct(act_id=UUID(MERGE), at=now, operator="sato", command="parties key", targets=on)
    for _ in range(2):
        await desk.process.bus.send([told])
    await desk.process.drained(deadline_s=10)
    (found,) = await rows_of(desk.database_url, ACTS)
    assert (found["at"], found["operator"]) == (now, "sato")
    async with desk.process.database_of("operations").reading() as reading:
        listed = await acts.latest(reading, None, 10)
    console = Console(record=True, width=240, file=io.StringIO())
    console.print(tables.acts_table(listed))
    shown = console.export_text()
    assert [one for one in ("sato", "parties key", f"party:{SHOP}", "key:shop-1") if one not in shown] == []


async def test_points_given_back_leave_the_reason(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def merge_id(_bus: object, _number: str) -> UUID:
        return UUID(MERGE)

    monkeypatch.setattr(streets, "_merge_id", merge_id)
    with pytest.raises(RefusedError):
        await desk.run("streets return", "1", "--reason", "端末の廃止", on=[f"merge:{MERGE}"])
    assert [(one["targets"], one["reason"]) for one in await _two(desk)] == [([f"merge:{MERGE}"], "端末の廃止")] * 2


async def test_nothing_is_written_down_of_what_only_looks_or_was_typed_wrong(desk: Desk) -> None:
    await desk.run("parties list", on=[])
    await desk.run("municipalities schemes", on=[])
    with pytest.raises(RefusedError, match="party_id"):
        await desk.run("parties limit", "none", on=[])
    await desk.process.drained(deadline_s=10)
    assert await rows_of(desk.database_url, ACTS) == []


async def _two(desk: Desk) -> list[asyncpg.Record]:
    async def are_two() -> bool:
        return len(await rows_of(desk.database_url, ACTS)) == 2

    await wait_until(are_two)
    return await rows_of(desk.database_url, ACTS)


def _all_commands() -> set[str]:
    found = set()
    for program, module in PROGRAMS.items():
        made: Any = module
        (sub,) = [one for one in made._parser()._actions if isinstance(one, argparse._SubParsersAction)]
        found |= {f"{program} {name}" for name in sub.choices}
    return found
