"""The audit: sound books are proven; whatever is done to them behind the ledger's back is named (F36)."""

import asyncio

import asyncpg
import pytest

from hub.process import HubProcess
from schemas.audit import Checkpoint, VerifyLedger, VerifyReport
from schemas.values import LANES
from tests.workers.ledger.tamperings import JOURNAL, TAMPERINGS, Tampering
from tests.workers.ledger.world import (
    FOREVER,
    ask,
    ask_all,
    citizen,
    credit,
)


async def verify(process: HubProcess, partition: int = 0, *checkpoints: Checkpoint) -> VerifyReport:
    return await ask(process, VerifyLedger(partition=partition, checkpoints=checkpoints))


async def test_sound_books_are_proven(books: HubProcess) -> None:
    reports = [await verify(books, partition) for partition in range(LANES)]
    assert [report.fault for report in reports] == [None] * LANES
    assert [report.block for report in reports] == [6, 1] + [0] * 14
    assert sum(report.outcomes for report in reports) == 14
    assert reports[0].transfers > 10
    assert reports[0].accounts > 10
    assert reports[0].rollups > 8
    assert reports[2].hash == "00"


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda t: t.name.replace(" ", "-"))
async def test_tampering_is_named(
    books: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]", tampering: Tampering
) -> None:
    await owner.execute(tampering.sql)
    fault = (await verify(books)).fault
    assert fault is not None
    assert fault.table == tampering.table
    assert tampering.key in fault.key
    assert tampering.what in fault.what
    assert (await verify(books, 1)).fault is None


async def test_a_tail_cut_off_with_its_head_is_shown_by_a_checkpoint(
    books: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    seen = await verify(books)
    checkpoint = Checkpoint(block=seen.block, hash=seen.hash)
    assert (await verify(books, 0, checkpoint)).fault is None
    for table in JOURNAL:
        await owner.execute(f"DELETE FROM ledger.{table} WHERE partition = 0 AND block >= 6")  # noqa: S608
    await owner.execute(
        "UPDATE ledger.head SET (block, hash) = (SELECT block, hash FROM ledger.block"
        " WHERE partition = 0 AND block = 5) WHERE partition = 0"
    )
    fault = (await verify(books, 0, checkpoint)).fault
    assert fault is not None
    assert fault.what == "the checkpoint saw block 6, and the chain ends with block 5"


async def test_a_chain_made_anew_is_shown_by_a_checkpoint(books: HubProcess) -> None:
    checkpoint = Checkpoint(block=3, hash="ab" * 32)
    fault = (await verify(books, 0, checkpoint)).fault
    assert fault is not None
    assert (fault.table, fault.key, fault.what) == ("block", "0/3", "its hash is not the one of the checkpoint")


async def test_all_partitions_are_proven_at_once(books: HubProcess) -> None:
    """More proofs than the pool has connections: none of them waits for a second one."""
    reports = await asyncio.gather(*(verify(books, partition) for partition in range(LANES)))
    assert [report.fault for report in reports] == [None] * LANES


async def test_books_are_proven_while_they_are_written(ledger: HubProcess) -> None:
    asked = ask_all(ledger, *(credit(f"c{n}", citizen(n), 5, FOREVER) for n in range(5_000)))
    writing = asyncio.ensure_future(asked)
    reports = []
    while not writing.done():
        reports.append(await verify(ledger))
    await writing
    reports.append(await verify(ledger))
    assert {report.fault for report in reports} == {None}
    assert reports[-1].outcomes == 5_000
    assert [r.outcomes for r in reports] == sorted(r.outcomes for r in reports)
