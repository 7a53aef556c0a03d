"""Checkpoints: one an hour where something was posted, signed, kept for ever; the chains must pass through them."""

import asyncio
from datetime import timedelta
from typing import Final

import asyncpg
import pytest

from hub.clock import AdjustableClock
from hub.keys import Keys
from hub.process import HubProcess
from hub.roles import component_url
from hub.settings import Settings
from schemas.audit import Checkpoint, VerifyLedger
from schemas.values import LANES
from tests.running import SECRET_KEY, running
from tests.waiting import wait_until
from tests.workers.ledger.tamperings import JOURNAL
from tests.workers.ledger.world import ask, ask_all, citizen, credit, open_pools
from workers.ledger.checkpoints import PURPOSE, Document

VERIFIER: Final = Keys(SECRET_KEY.encode()).signer(PURPOSE).verifier
KEPT: Final = "SELECT document FROM ledger.checkpoint ORDER BY number"
HEADS: Final = "SELECT partition, block, encode(hash, 'hex') FROM ledger.head ORDER BY partition"
TOLD: Final = "SELECT count(*) FROM hub.message WHERE type = 'jp.mykey.audit.checkpoint-signed.v1'"
CHANGES: Final = (
    "UPDATE ledger.checkpoint SET number = 9",
    "DELETE FROM ledger.checkpoint",
    "TRUNCATE ledger.checkpoint",
)
HOUR: Final = timedelta(hours=1)


async def tick(process: HubProcess) -> None:
    """What the job does."""
    (component,) = process.components
    job = next(job for job in component.jobs if job.name == "checkpoint")
    await job.run()


async def documents(process: HubProcess) -> list[Document]:
    async with process.database_of("ledger").reading() as reading:
        return [Document.model_validate_json(row["document"]) for row in await reading.fetch(KEPT)]


@pytest.mark.usefixtures("by_hand")
async def test_a_checkpoint_says_where_all_chains_are_and_is_signed(
    ledger: HubProcess, database_url: str, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", citizen(1), 5), credit("2", citizen(1, lane=3), 5))
    await tick(ledger)
    (document,) = await documents(ledger)
    owner = await asyncpg.connect(database_url)
    heads = [tuple(row) for row in await owner.fetch(HEADS)]
    await owner.close()
    assert document.checkpoint == 1
    assert document.time == clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [(head.partition, head.block, head.hash) for head in document.heads] == heads
    assert [head.block for head in document.heads] == [1, 0, 0, 1] + [0] * 12
    assert document.is_signed_by(VERIFIER)
    assert not document.is_signed_by(Keys(b"another secret of the same length").signer(PURPOSE).verifier)
    assert not document.model_copy(update={"checkpoint": 2}).is_signed_by(VERIFIER)


async def test_one_an_hour_and_none_where_nothing_was_posted(ledger: HubProcess, clock: AdjustableClock) -> None:
    await tick(ledger)
    assert await documents(ledger) == []
    await ask_all(ledger, credit("1", citizen(1), 5))
    await tick(ledger)
    await ask_all(ledger, credit("2", citizen(1), 5))
    await tick(ledger)
    assert len(await documents(ledger)) == 1
    clock.advance(HOUR)
    await tick(ledger)
    assert [document.heads[0].block for document in await documents(ledger)] == [1, 2]
    clock.advance(HOUR)
    await tick(ledger)
    assert len(await documents(ledger)) == 2


async def test_two_processes_make_one_checkpoint(database_url: str, clock: AdjustableClock) -> None:
    """Each by its job, and both jobs at once, as where one had lost its lease without knowing."""
    async with (
        running(database_url, "ledger", clock=clock) as one,
        running(database_url, "ledger", clock=clock) as other,
    ):
        await open_pools(one.database_of("ledger"))
        for hour in range(1, 6):
            await ask_all(one, credit(f"{hour}", citizen(hour), 5))
            await asyncio.gather(*(tick(process) for process in (one, other) * 2))
            assert [document.checkpoint for document in await documents(other)] == list(range(1, hour + 1))
            clock.advance(HOUR)
        async with one.database_of("ledger").reading() as reading:
            assert await reading.fetch_value(TOLD) == 5


async def test_the_job_runs_by_itself(database_url: str, clock: AdjustableClock) -> None:
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        await ask_all(process, credit("1", citizen(1), 5))
    clock.advance(HOUR)
    async with (
        running(database_url, "ledger", clock=clock) as one,
        running(database_url, "ledger", clock=clock),
    ):
        (document,) = await wait_until(lambda: documents(one), deadline_s=20)
        assert document.heads[0].block == 1


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_kept_is_never_changed(
    ledger: HubProcess, database_url: str, settings: Settings, change: str
) -> None:
    await ask_all(ledger, credit("1", citizen(1), 5))
    await tick(ledger)
    for url, refused in (
        (database_url, asyncpg.RestrictViolationError),
        (component_url(database_url, "ledger", settings), asyncpg.InsufficientPrivilegeError),
    ):
        connection = await asyncpg.connect(url)
        with pytest.raises(refused):
            await connection.execute(change)
        await connection.close()


async def test_chains_must_pass_through_what_was_kept(
    books: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """The tail is cut off together with the head; the ledger's own checkpoints show it without any file."""
    await tick(books)
    (document,) = await documents(books)
    given = [(Checkpoint(block=head.block, hash=head.hash),) for head in document.heads]
    for partition in range(LANES):
        assert (await ask(books, VerifyLedger(partition=partition, checkpoints=given[partition]))).fault is None
    for table in JOURNAL:
        await owner.execute(f"DELETE FROM ledger.{table} WHERE partition = 0 AND block >= 5")  # noqa: S608
    await owner.execute(
        "UPDATE ledger.head SET (block, hash) = (SELECT block, hash FROM ledger.block"
        " WHERE partition = 0 AND block = 4) WHERE partition = 0"
    )
    fault = (await ask(books, VerifyLedger(partition=0))).fault
    assert fault is not None
    assert (fault.table, fault.what) == ("head", "checkpoint 1 saw block 6, and the chain ends with block 4")
    fault = (await ask(books, VerifyLedger(partition=0, checkpoints=given[0]))).fault
    assert fault is not None
    assert (fault.table, fault.what) == ("head", "the checkpoint saw block 6, and the chain ends with block 4")
    assert (await ask(books, VerifyLedger(partition=1, checkpoints=given[1]))).fault is None


async def test_of_several_checkpoints_the_first_that_does_not_fit_is_named(books: HubProcess) -> None:
    end = await ask(books, VerifyLedger(partition=0))
    sound = Checkpoint(block=end.block, hash=end.hash)
    unbegun = Checkpoint(block=0, hash="00")
    bad = (Checkpoint(block=2, hash="ab" * 32), Checkpoint(block=9, hash="ab" * 32))
    for checkpoints, named in (
        ((unbegun, sound), None),
        ((sound, *bad), ("block", "0/2", "its hash is not the one of the checkpoint")),
        ((bad[1], sound), ("head", "0", "the checkpoint saw block 9, and the chain ends with block 6")),
    ):
        fault = (await ask(books, VerifyLedger(partition=0, checkpoints=checkpoints))).fault
        assert (None if fault is None else (fault.table, fault.key, fault.what)) == named
