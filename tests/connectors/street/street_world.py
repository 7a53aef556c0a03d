"""Many citizens of one street, its terminal, and processes to be killed: for the long runs and for what is measured."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from hub.bus import Bus
from hub.clock import SystemClock
from hub.keys import Keys
from schemas.citizens import MailChoices, RegisterCitizen
from schemas.grants import GrantPoints
from schemas.points import BalanceOf
from schemas.service_ids import RegisterServiceId
from schemas.streets import MergeKey, MergeLayout, RegisterMergeKey, StartMerge
from tests.connectors.street.town import ISSUER, POOL, ROWS, STREET_ID, registered
from tests.connectors.street.vectors import STREET, key_of
from tests.connectors.terminal.agents import CITY, DEADLINE_S, Terminal, enrolled
from tests.connectors.terminal.outside import ROOT
from tests.running import SECRET_KEY
from tests.waiting import wait_until

GRANTED: Final = 1_000_000


@dataclass
class StreetWorld:
    """The street's one terminal, and citizens who hold points and its cards."""

    terminal: Terminal
    citizen_ids: list[UUID]
    key: MergeKey
    layout: MergeLayout

    def start(self, number: int, points: int) -> StartMerge:
        """「合算」 of one of them; the same again for the same number."""
        return StartMerge(
            merge_id=UUID(int=(0x8 << 76) | (0b10 << 62) | number),
            issuer_id=ISSUER,
            citizen_id=self.citizen_ids[number % len(self.citizen_ids)],
            pool=POOL,
            points=points,
            terminal_id=self.terminal.terminal_id,
            lg_code=CITY,
        )

    async def held(self, bus: Bus) -> tuple[int, int]:
        """Of all citizens together: usable, and set aside."""
        found = await bus.call_many([BalanceOf(citizen_id=one) for one in self.citizen_ids], DEADLINE_S)
        pools = [pool for one in found for pool in one.pools]
        return sum(pool.active for pool in pools), sum(pool.held for pool in pools)


async def built(bus: Bus, origin: str, citizens: int, layout: MergeLayout) -> StreetWorld:
    """Registered, enrolled, granted."""
    await registered(bus, layout)
    (terminal,) = await enrolled(bus, origin, rows=ROWS)
    now = SystemClock().now()
    key = key_of(layout.mode).model_copy(update={"valid_from": now - timedelta(days=1), "valid_to": None})
    assert (await bus.call(RegisterMergeKey(street_id=STREET_ID, merge_key=key), DEADLINE_S)).code is None
    made = StreetWorld(terminal, [uuid4() for _ in range(citizens)], key, layout)
    for number, citizen_id in enumerate(made.citizen_ids):
        await bus.call(_citizen(number, citizen_id), DEADLINE_S)
        await bus.call(_service_id(number, citizen_id, terminal), DEADLINE_S)

    async def has_scheme() -> bool:
        return (await bus.call(_grant(made.citizen_ids[0]), DEADLINE_S)).status == "posted"

    await wait_until(has_scheme, DEADLINE_S)
    await bus.call_many([_grant(citizen_id) for citizen_id in made.citizen_ids[1:]], DEADLINE_S)
    return made


def _citizen(number: int, citizen_id: UUID) -> RegisterCitizen:
    return RegisterCitizen(
        citizen_id=citizen_id, mykey_id=f"ABCD{number:04}", name="氏名 一", mail="one@mail.example",
        base_lg_code=CITY, choices=MailChoices(),
    )  # fmt: skip


def _service_id(number: int, citizen_id: UUID, terminal: Terminal) -> RegisterServiceId:
    return RegisterServiceId(
        citizen_id=citizen_id, issuer_id=ISSUER, number=f"{520_000 + number}", terminal_id=terminal.terminal_id,
        operation_id=uuid4(),
    )  # fmt: skip


def _grant(citizen_id: UUID) -> GrantPoints:
    return GrantPoints(
        party_id=UUID(int=9), command_id=f"grant-{uuid4()}", request_hash=bytes(16), citizen_id=citizen_id,
        programme_id=UUID(int=9), pool=POOL, points=GRANTED,
    )  # fmt: skip


async def agent_process(terminal: Terminal, folder: Path) -> Process:
    """The agent of this terminal as a process of its own, with its merge folder `folder/drop`."""
    told = {
        "terminal_id": terminal.terminal_id, "origin": terminal.origin, "key": terminal.key.private_bytes_raw().hex(),
        "fingerprint": terminal.fingerprint.hex(), "values": {name: one.hex() for name, one in terminal.values.items()},
        "folder": str(folder),
    }  # fmt: skip
    return await _started(["-m", "tests.connectors.street.agent_process", json.dumps(told)])


async def software_process(world: StreetWorld, folder: Path) -> Process:
    """The street's own program, `mykey-street watch`."""
    key, layout = world.key, world.layout
    hub_key = Keys(SECRET_KEY.encode()).signer("street.merge").verifier.pem
    lines = [
        f'street = "{STREET}"', 'drop_folder = "drop"', f'mode = "{layout.mode}"', f"hub_key = '''{hub_key}'''",
        "[[keys]]", f'id = "{key.key_id}"', f"valid_from = {key.valid_from.isoformat()}",
        f'key = "{key.cipher_key.hex()}"', f'secret = "{key.secret}"',
    ]  # fmt: skip
    (folder / "street.toml").write_text("\n".join(lines), encoding="utf-8")
    return await _started(["-m", "street_software", "--folder", str(folder), "watch"])


async def _started(arguments: Sequence[str]) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, cwd=ROOT
    )
