"""Merges that nobody brings to an end by themselves: none stays in others' way, none keeps points for ever."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiohttp import ClientSession

from connectors.street import component, merge_store, merging
from hub.errors import HubError, TransientError
from schemas.problems import RefusalCode
from schemas.streets import MergeState
from tests.connectors.street.test_door import server
from tests.connectors.street.town import HELD, STREET_ID, Town, town
from tests.connectors.terminal.agents import DEADLINE_S
from tests.peers.card.authority import CardAuthority
from tests.waiting import wait_until

STATE = "SELECT state FROM street.merge WHERE merge_id = $1"
AS_BEFORE_IT_WAS_HEARD = "UPDATE street.merge SET state = 'asked' WHERE merge_id = $1"
ABANDONED = """
INSERT INTO street.merge (merge_id, street_id, number, citizen_id, terminal_id, destination, lg_code, pool, points,
    member_sealed, state, started_at)
SELECT gen_random_uuid(), street_id, lpad(n::text, 20, '0'), citizen_id, terminal_id, destination, lg_code, pool, 1,
    member_sealed, 'asked', started_at - interval '1 hour'
FROM street.merge, generate_series(1, 100) AS n
"""


@pytest.fixture
async def owner(database_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


def gone(*_merge: object) -> None:
    """Whoever asks is ended between its row and the ledger."""
    raise TransientError("ended here")


async def left(street: Town, points: int) -> UUID:
    """A merge whose caller has given up before the ledger was heard."""
    merge_id = uuid4()
    with pytest.raises(HubError):
        await street.merge(points, merge_id=merge_id)
    return merge_id


async def test_begun_and_left_it_hides_no_other_from_the_street(
    database_url: str,
    tmp_path: Path,
    card_authority: CardAuthority,
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    async with town(database_url, tmp_path, card_authority) as street, ClientSession() as client:
        real = await street.merge(300)
        await owner.execute(ABANDONED)
        ours = await server(client, street, STREET_ID, "honmachi-1")
        status, told = await ours.ask("GET", "/merges")
        assert (status, [one["number"] for one in told["merges"]]) == (200, [real.number])


async def test_begun_and_left_it_goes_only_where_the_ledger_had_heard_it(
    database_url: str,
    tmp_path: Path,
    card_authority: CardAuthority,
    monkeypatch: pytest.MonkeyPatch,
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    monkeypatch.setattr(component, "ASK_AGAIN_EVERY_S", 0.2)
    monkeypatch.setattr(merge_store, "ASKED_AGAIN_S", 1.0)
    async with town(database_url, tmp_path, card_authority) as street:
        with monkeypatch.context() as patched:
            patched.setattr(merging, "_send", gone)
            unheard = await left(street, 300)
        with monkeypatch.context() as patched:
            patched.setattr(merging.Merging, "_brought", gone)
            heard = await left(street, 50)
        await owner.execute(AS_BEFORE_IT_WAS_HEARD, heard)
        for merge_id, state in ((heard, MergeState.delivered), (unheard, MergeState.failed)):

            async def is_so(merge_id: UUID = merge_id, state: MergeState = state) -> bool:
                return bool(await owner.fetchval(STATE, merge_id) == state)

            await wait_until(is_so, DEADLINE_S)
        assert await street.held() == (HELD - 50, 50)
        assert street.receive().points == 50
        again = await street.merge(300, merge_id=unheard)
        assert (again.state, again.code) == (MergeState.failed, RefusalCode.operation_over)
        assert (await street.merge(300)).state is MergeState.delivered
        assert (await street.held())[0] == HELD - 350, "once, and not again for the one that was left"
