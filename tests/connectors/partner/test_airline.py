"""The airline's month, from its own process, over HTTP only: every row ends once, as expected."""

import asyncio
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import pytest

from hub.process import HubProcess
from schemas.citizens import LinkCitizen, MailChoices, RegisterCitizen
from schemas.message import Answered
from schemas.municipalities import RegisterScheme
from schemas.points import HeldByPool
from tests.connectors.partner.town import AIRLINE, Town

Answer = TypeVar("Answer")

ROOT: Final = Path(__file__).parents[3]
DEMO: Final = ROOT / "demo"
ASKED_AT_ONCE: Final = 1_000
DEADLINE_S: Final = 60.0
EXPECTED: Final = {
    "rows": 20_000,
    "posted": 19_500,
    "points": 59_159_500,
    "replayed": 200,
    "refused": {"bad_code": 40, "bad_points": 60, "id_conflict": 50, "no_scheme": 50, "unknown_link": 100},
}


@pytest.mark.timeout(180)
async def test_the_airline_s_month_half_by_batches_half_as_a_file(hub_town: Town, tmp_path: Path) -> None:
    await load_world(hub_town.process)
    report = await fly(hub_town, tmp_path, "--batches", "10000", "--file-rest")
    assert {name: report[name] for name in EXPECTED} == EXPECTED
    assert report["file"]["done"] == report["file"]["rows"] == 10_000
    held = await hub_town.process.bus.call(HeldByPool(), DEADLINE_S)
    assert sum(held.totals.values()) == EXPECTED["points"]

    again = await fly(hub_town, tmp_path, "--batches", "2000")
    assert (again["rows"], again["posted"], again["points"]) == (2_000, 0, 0)
    assert await hub_town.process.bus.call(HeldByPool(), DEADLINE_S) == held


async def fly(town: Town, folder: Path, *options: str) -> dict[str, Any]:
    """Run the airline's program; its report."""
    key = folder / "airline.key"
    key.write_text(town.keys["airline"].hex())
    report = folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.peers.airline", "--url", town.url),
        *("--key-file", str(key), "--key-id", "airline", "--report", str(report)),
        *("--transfers", str(DEMO / "airline-transfers-2017-10.csv"), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-2_000:]
    lines = [json.loads(line) for line in told.splitlines()]
    assert lines[-1]["event"] == "report"
    content: dict[str, Any] = json.loads(report.read_text())
    return content


async def load_world(process: HubProcess) -> None:
    """The demo world's schemes, citizens and links."""
    schemes = [
        RegisterScheme(lg_code=one["lg_code"], point_name=one["point_name"], expiry_rule=one["expiry_rule"])
        for one in rows("world-schemes.csv")
    ]
    people = list(enumerate(rows("world-citizens.csv"), start=1_000))
    citizens = [_citizen(number, one) for number, one in people]
    links = [
        LinkCitizen(citizen_id=UUID(int=number), party_id=AIRLINE, link_id=one["airline_link_id"])
        for number, one in people
    ]
    await ask_all(process, schemes)
    await ask_all(process, citizens)
    await ask_all(process, links)
    await process.drained(deadline_s=DEADLINE_S)


def rows(name: str) -> list[dict[str, str]]:
    """A file of the demo world."""
    with (DEMO / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def ask_all(process: HubProcess, messages: Sequence[Answered[Answer]]) -> None:
    """Many commands, some at once."""
    for first in range(0, len(messages), ASKED_AT_ONCE):
        await process.bus.call_many(messages[first : first + ASKED_AT_ONCE], DEADLINE_S)


def _citizen(number: int, one: dict[str, str]) -> RegisterCitizen:
    return RegisterCitizen(
        citizen_id=UUID(int=number),
        mykey_id=one["mykey_id"],
        name=one["name"],
        mail=one["mail"],
        base_lg_code=one["base_lg_code"],
        choices=MailChoices(on_grant=one["mail_on_grant"] == "yes"),
    )
