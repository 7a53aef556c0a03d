"""A merge, whole: 300 points at a butcher's terminal, `mykey-agent` and `mykey-street` as they are installed.

Then all that must not be taken in: the same file again, a flipped bit, another street's, an old key, a torn copy.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from connectors.street.commands import key_file
from connectors.street.layout import Fields, transaction_number
from connectors.terminal import issuing
from connectors.terminal.issuing import HandedOut
from hub.bus import Bus
from hub.clock import SystemClock
from schemas.card_jobs import PresenceOf
from schemas.citizens import MailChoices, RegisterCitizen
from schemas.grants import GrantPoints
from schemas.points import BalanceOf
from schemas.service_ids import RegisterServiceId
from schemas.streets import CipherMode, MergeKey, MergeLayout, MergesOf, MergeView, RegisterMergeKey
from schemas.terminals import FileTerminalPlan
from tests.connectors.street.town import ISSUER, NUMBER, POOL, ROWS, STREET_ID, registered
from tests.connectors.street.vectors import key_of, sealing, unreadable
from tests.connectors.terminal.agents import CITY, DEADLINE_S, hubs
from tests.connectors.terminal.counters import Clerk
from tests.connectors.terminal.outside import ROOT
from tests.journeys.counter import Agent, agent, opened
from tests.waiting import wait_until

HELD = 1_000
CITIZEN = uuid4()


class Shop(NamedTuple):
    """The butcher's: the counter, the agent, and the street's program beside it."""

    bus: Bus
    clerk: Clerk
    agent: Agent
    folder: Path
    keys: dict[str, MergeKey]

    @property
    def drop(self) -> Path:
        return self.folder / "drop"

    async def merge(self, points: int) -> str:
        """By the street's card; returns the transaction number."""
        operation_id = await self.clerk.begin("merge-points", how="street_card")
        await wait_until(lambda: self.agent.type_number(NUMBER), DEADLINE_S)
        assert (await self.clerk.ended(operation_id, "waiting"))["state"] == "proven"
        done = await self.clerk.done(operation_id, "merge", pool=POOL, points=points)
        assert done["undelivered"] is None
        return str(done["number"])

    async def street(self, *words: str) -> str:
        """`mykey-street`: what it says."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "street_software", "--folder", str(self.folder), *words, stdout=PIPE, cwd=ROOT
        )
        told, _ = await process.communicate()
        assert process.returncode == 0
        return told.decode().strip()

    async def held(self) -> int:
        """What the citizen can use."""
        return (await self.bus.call(BalanceOf(citizen_id=CITIZEN), DEADLINE_S)).by_pool.get(POOL, 0)

    async def becomes(self, number: str, state: str) -> None:
        """Wait until the merge is so."""

        async def is_so() -> bool:
            return (await self.view(number)).state == state

        await wait_until(is_so, DEADLINE_S)

    async def view(self, number: str) -> MergeView:
        asked = MergesOf(street_id=STREET_ID, open_only=False, number=number)
        (found,) = (await self.bus.call(asked, DEADLINE_S)).merges
        return found

    def quarantined(self) -> dict[str, str]:
        """File → reason."""
        reasons = (self.drop / "quarantine").glob("*.reason")
        return {path.name.removesuffix(".reason"): path.read_text(encoding="utf-8") for path in reasons}


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    (tmp_path / "drop").mkdir()
    keys = _keys()
    async with AsyncExitStack() as stack:
        (hub,) = await stack.enter_async_context(hubs(database_url, ["registry", "terminal", "ledger", "street"]))
        await registered(hub.bus, MergeLayout())
        for key in (keys["old"], keys["now"]):
            command = RegisterMergeKey(street_id=STREET_ID, merge_key=key)
            assert (await hub.bus.call(command, DEADLINE_S)).code is None
        await hub.bus.call(FileTerminalPlan(lg_code=CITY, rows=ROWS), DEADLINE_S)
        (handed_out,) = [one async for one in issuing.issue(hub.bus, CITY) if isinstance(one, HandedOut)]
        terminal, password = handed_out
        folder = f'merge_folder = "{tmp_path / "drop"}"'
        at = await stack.enter_async_context(agent(tmp_path / "agent", hub.url, os.environ, folder))
        await at.enrol(terminal.terminal_id, password, terminal.issuer_id)
        client = await stack.enter_async_context(ClientSession())
        await wait_until(lambda: _is_there(hub.bus, terminal.terminal_id), DEADLINE_S)
        await _citizen(hub.bus, terminal.terminal_id)
        lines = 'street = "honmachi"\ndrop_folder = "drop"\nunknown_members = "refuse"\n'
        software = lines + key_file(keys["old"], "") + key_file(keys["now"], "")
        (tmp_path / "street.toml").write_text(software, encoding="utf-8")
        yield Shop(hub.bus, await opened(client, hub.url, at), at, tmp_path, keys)


def _keys() -> dict[str, MergeKey]:
    """One that has ended, one that is valid, and another street's."""
    now = SystemClock().now()
    year, ended = timedelta(days=365), timedelta(days=7)
    made = {name: key_of(CipherMode.cbc, f"{n}-1", first=60 * n) for n, name in enumerate(("old", "now", "foreign"))}
    times = {"old": (now - 2 * year, now - ended), "now": (now - year, None), "foreign": (now - year, None)}
    return {
        name: key.model_copy(update=dict(zip(("valid_from", "valid_to"), times[name], strict=True)))
        for name, key in made.items()
    }


async def _is_there(bus: Bus, terminal_id: str) -> bool:
    found = (await bus.call(PresenceOf(terminal_ids=[terminal_id]), DEADLINE_S)).terminals
    return terminal_id in found and found[terminal_id].merge_folder == "ready"


async def _citizen(bus: Bus, terminal_id: str) -> None:
    told = RegisterCitizen(
        citizen_id=CITIZEN, mykey_id="ABCD2345", name="氏名 一", mail="one@mail.example", base_lg_code=CITY,
        choices=MailChoices(),
    )  # fmt: skip
    assert (await bus.call(told, DEADLINE_S)).code is None
    card = RegisterServiceId(
        citizen_id=CITIZEN, issuer_id=ISSUER, number=NUMBER, terminal_id=terminal_id, operation_id=uuid4()
    )
    assert (await bus.call(card, DEADLINE_S)).code is None

    async def is_granted() -> bool:
        grant = GrantPoints(
            party_id=UUID(int=9), command_id=f"g-{uuid4()}", request_hash=bytes(16), citizen_id=CITIZEN,
            programme_id=UUID(int=9), pool=POOL, points=HELD,
        )  # fmt: skip
        return (await bus.call(grant, DEADLINE_S)).status == "posted"

    await wait_until(is_granted, DEADLINE_S)


async def test_three_hundred_points_at_the_butchers(shop: Shop) -> None:
    # Whoever is no member of the street is sent back, and has the points again.
    number = await shop.merge(100)
    assert await shop.held() == HELD - 100
    assert "返却 1 件" in await shop.street("receive")
    await shop.becomes(number, "refused")
    assert await shop.held() == HELD

    await shop.street("member", NUMBER)
    number = await shop.merge(300)
    (path,) = shop.drop.glob("*.mpf")
    content = path.read_bytes()
    assert "受取 1 件、300 ポイント" in await shop.street("receive")
    await shop.becomes(number, "acknowledged")
    assert (await shop.held(), await shop.street("points", NUMBER)) == (HELD - 300, "300")
    await wait_until(lambda: not list(shop.drop.glob("*.ack")), DEADLINE_S)

    wrong = _wrong_files(shop, content)
    path.write_bytes(content)
    for name, (bad, _) in wrong.items():
        (shop.drop / name).write_bytes(bad)
    told = await shop.street("receive")
    assert "受取 0 件" in told
    assert shop.quarantined() == {path.name: "seen", **{name: reason for name, (_, reason) in wrong.items()}}
    assert (await shop.held(), await shop.street("points", NUMBER)) == (HELD - 300, "300")
    assert (await shop.view(number)).state == "acknowledged"


def _wrong_files(shop: Shop, content: bytes) -> dict[str, tuple[bytes, str]]:
    """Name → what is in it, and the reason why it is not taken."""
    now = SystemClock().now()
    altered = bytes([content[0] ^ 1]) + content[1:]
    fields = Fields(NUMBER, 999, transaction_number(now, 999_999))
    layout = MergeLayout()
    old = sealing(layout, key=shop.keys["old"]).file_of(fields, "T232343000001")
    foreign = unreadable(sealing(layout, key=shop.keys["foreign"]), fields, [shop.keys["old"], shop.keys["now"]])
    cases = {"flipped": (altered, "bad_hash"), "torn": (content[:40], "torn"), "old": (old, "old_key")}
    cases["foreign"] = (foreign, "not_decrypted")
    numbers = (transaction_number(now, serial) for serial in range(900_000, 900_010))
    return {f"merge-honmachi-{number}.mpf": case for number, case in zip(numbers, cases.values(), strict=False)}
