"""Lives in one database and in two, and all that is told of them."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
from pydantic import BaseModel

from hub import failpoints
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.corrections import OriginalOf
from schemas.history import BalanceAsOf, HistoryOf, ProvenanceOf
from schemas.message import Query
from schemas.points import BalanceOf, HeldByPool, HeldIn, OutcomesOf
from schemas.settlement import (
    Details,
    DetailsOf,
    MunicipalPartnersView,
    MunicipalPlacesView,
    MunicipalSummaryOf,
    PartnerSummaryOf,
    PartnerView,
    PlaceSummaryOf,
    StoreSummaryOf,
    StoreView,
    View,
)
from schemas.values import LANES
from tests.workers.ledger import spread_worker
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.world import AIRLINE, CARD, CITY, FOREVER, OTHER_STORE, STORE, TODAY, TOWN, ask, citizen
from tests.workers.ledger.world_holds import SHOP, STREET

ROOT: Final = Path(__file__).parents[3]
DEATH_LIMIT_S: Final = 60.0
AWAY: Final = range(8, LANES)
PEOPLE: Final = [citizen(n, lane) for n, lane in enumerate((3, 11, 0, 15))]
LAST: Final = TODAY + timedelta(days=400)
HEADS: Final = "SELECT partition, block, hash FROM ledger.head WHERE elsewhere IS NULL ORDER BY partition"


async def value(url: str, sql: str) -> Any:  # noqa: ANN401 - whatever is asked
    """What the owner of a database sees."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def heads(*urls: str) -> list[tuple[int, int, bytes]]:
    """Where all chains end."""
    found: list[tuple[int, int, bytes]] = []
    for url in urls:
        connection = await asyncpg.connect(url)
        found += [tuple(row) for row in await connection.fetch(HEADS)]
        await connection.close()
    return sorted(found)


async def is_sound(process: HubProcess) -> None:
    """All partitions, wherever they live."""
    for partition in range(LANES):
        report = await ask(process, VerifyLedger(partition=partition))
        assert report.fault is None


async def asked_directly(process: HubProcess, query: Query) -> BaseModel:
    """As the process answers, with what it raises."""
    (component,) = process.components
    async with process.database_of("ledger").reading() as reading:
        return await component.answers[type(query)](query, reading)


async def close_days(process: HubProcess) -> None:
    """What the job does."""
    (component,) = process.components
    await next(job for job in component.jobs if job.name == "close_days").run()


async def all_that_is_told(process: HubProcess, lived: Lives) -> list[object]:
    """The answers to every kind of question."""
    period = {"first": TODAY, "last": LAST}
    questions: list[Any] = [
        HeldByPool(),
        HeldIn(citizen_ids=PEOPLE, pool=FOREVER),
        *(OutcomesOf(party_id=AIRLINE, command_ids=[f"n{n}" for n in range(first, first + 50)]) for first in (0, 50)),
        *(PartnerSummaryOf(party_id=party_id, **period) for party_id in (AIRLINE, CARD)),
        *(MunicipalSummaryOf(lg_code=lg_code, **period) for lg_code in (TOWN, CITY)),
        *(PlaceSummaryOf(lg_code=lg_code, first=TODAY, last=LAST) for lg_code in (TOWN, CITY)),
        *(StoreSummaryOf(store_id=place, **period) for place in (STORE, OTHER_STORE, SHOP, STREET)),
    ]
    for citizen_id in PEOPLE:
        questions += [BalanceOf(citizen_id=citizen_id), HistoryOf(citizen_id=citizen_id, limit=200)]
        questions += [BalanceAsOf(citizen_id=citizen_id, day=TODAY + timedelta(days=n)) for n in (0, 7, 30)]
    for command, _ in lived.posted[::5]:
        questions.append(ProvenanceOf(party_id=command.party_id, command_id=command.command_id))
        questions.append(OriginalOf(party_id=command.party_id, command_id=command.command_id))
    told: list[object] = [await ask(process, question) for question in questions]
    views = (PartnerView(party_id=AIRLINE), MunicipalPartnersView(lg_code=TOWN), MunicipalPlacesView(lg_code=CITY))
    for view in (*views, StoreView(store_id=STORE)):
        for limit in (3, 5_000):
            told += [line for page in await pages(process, view, limit) for line in page.lines]
    return told


async def pages(process: HubProcess, view: View, limit: int) -> list[Details]:
    """All pages of a view."""
    read = [await ask(process, DetailsOf(view=view, first=TODAY, last=LAST, limit=limit))]
    while (after := read[-1].after) is not None:
        read.append(await ask(process, DetailsOf(view=view, first=TODAY, last=LAST, limit=limit, after=after)))
    return read


async def live(lived: Lives, weeks: int = 4) -> None:
    """Everything that citizens do, and the day after."""
    for _ in range(weeks):
        await lived.next_day(7)
        for _ in range(4):
            await lived.live(12)
    await lived.next_day(1)


def killed_at(failpoint: str, url: str, away_url: str) -> set[str]:
    """Which credits were answered before the process died there."""
    ended = subprocess.run(
        [sys.executable, "-m", spread_worker.__name__, url, away_url],
        env={**os.environ, failpoints.ENVIRONMENT: failpoint}, cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=DEATH_LIMIT_S,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return set(ended.stdout.split())


async def posted_ids(process: HubProcess) -> set[str]:
    """The commands that have an outcome."""
    asked = OutcomesOf(party_id=AIRLINE, command_ids=list(map(str, range(spread_worker.LIMIT))))
    return {outcome.command_id for outcome in (await ask(process, asked)).outcomes}
