"""Outcomes by citizen are kept volume by volume, so that what is written stays small; a history is in all of them."""

import asyncpg
import pytest

from hub.process import HubProcess
from schemas.history import BalanceAsOf, History, HistoryOf, ProvenanceOf
from tests.workers.ledger.world import (
    FOREVER,
    TODAY,
    ask,
    ask_all,
    citizen,
    credit,
    move,
)

ME, OTHER, ELSEWHERE = citizen(1), citizen(2), citizen(3, 1)
VOLUMES = "SELECT block, volume FROM ledger.outcome WHERE partition = $1 GROUP BY 1, 2 ORDER BY 1"
HEAD = "SELECT volume, volume_outcomes FROM ledger.head WHERE partition = $1"


async def test_a_batch_goes_into_one_volume_and_the_next_one_begins_once_it_is_full(
    ledger: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ask_all(ledger, credit("1", ME, 10))
    await ask_all(ledger, credit("2", ME, 10), credit("3", OTHER, 10), credit("4", ME, 10))
    await ask_all(ledger, credit("5", ME, 10), credit("6", ELSEWHERE, 10))
    assert [tuple(row) for row in await owner.fetch(VOLUMES, 0)] == [(1, 0), (2, 0), (3, 1)]
    assert tuple(await owner.fetchrow(HEAD, 0) or ()) == (1, 1)
    assert tuple(await owner.fetchrow(HEAD, 1) or ()) == (0, 1)


@pytest.mark.parametrize("limit", [1, 4, 50])
async def test_a_history_goes_over_all_volumes_in_one_order(ledger: HubProcess, limit: int) -> None:
    for number in range(1, 10):
        await ask_all(ledger, credit(f"{number}", ME, number), credit(f"o{number}", OTHER, 1))
    pages: list[History] = []
    while not pages or pages[-1].after is not None:
        asked = HistoryOf(citizen_id=ME, after=pages[-1].after if pages else None, limit=limit)
        pages.append(await ask(ledger, asked))
    assert [entry.points for page in pages for entry in page.entries] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert (await ask(ledger, BalanceAsOf(citizen_id=ME, day=TODAY))).by_pool == {"reserve": 45}


async def test_where_points_came_from_is_found_in_volumes_of_the_past(ledger: HubProcess) -> None:
    for number in range(1, 6):
        await ask_all(ledger, credit(f"{number}", ME, number), credit(f"o{number}", OTHER, 1))
    await ask_all(ledger, move("m", ME, 15, FOREVER))
    told = await ask(ledger, ProvenanceOf(party_id=ME, command_id="m"))
    assert [(origin.command_id, origin.points) for origin in told.origins] == [(f"{n}", n) for n in range(1, 6)]
