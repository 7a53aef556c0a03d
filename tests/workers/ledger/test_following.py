"""Following a chain in slices, and going on from where it was proved: what is named then, and what is not."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import asyncpg
import pytest

from hub.process import HubProcess
from schemas.audit import ChainSlice, Checkpoint, Fault, FollowChain, VerifyLedger
from tests.workers.ledger.tamperings import JOURNAL, TAMPERINGS, Tampering
from tests.workers.ledger.world import FOREVER, ask, ask_all, citizen, credit

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
SLICES_LIMIT: Final = 20
NAMED: Final = {
    "points of a transfer", "account of a transfer", "request of an outcome", "transfer deleted", "outcome deleted",
    "block deleted", "transfer inserted", "transfer inserted after the last block", "outcome inserted between blocks",
    "transfers swapped", "outcomes swapped", "hash of a block", "link of a block", "tail cut", "head", "head gone",
}  # fmt: skip
"""Edited, deleted, inserted, swapped, truncated: what the chain alone has to find."""
ENDS: Final = "SELECT block, hash FROM ledger.block WHERE partition = 0 ORDER BY block"
CUT: Final = (
    "DELETE FROM ledger.transfer WHERE partition = 0 AND block >= 6",
    "DELETE FROM ledger.block WHERE partition = 0 AND block >= 6",
    "DELETE FROM ledger.outcome WHERE partition = 0 AND block >= 6",
    """UPDATE ledger.head SET (block, hash) = (SELECT block, hash FROM ledger.block WHERE partition = 0 AND block = 5)
    WHERE partition = 0""",
)


async def follow(process: HubProcess, after: Checkpoint | None = None, blocks: int = 1) -> list[ChainSlice]:
    """Slice by slice to the end, or to a fault."""
    slices: list[ChainSlice] = []
    while not slices or not (slices[-1].ended or slices[-1].fault):
        assert len(slices) < SLICES_LIMIT
        slices.append(await ask(process, FollowChain(partition=0, after=after, blocks=blocks)))
        after = Checkpoint(block=slices[-1].block, hash=slices[-1].hash)
    return slices


async def ends_of(owner: Owner) -> list[Checkpoint]:
    """Every place in the chain of partition 0 that a run may go on from."""
    return [Checkpoint(block=row["block"], hash=row["hash"].hex()) for row in await owner.fetch(ENDS)]


def is_named(fault: Fault | None, tampering: Tampering) -> bool:
    return (
        fault is not None
        and fault.table == tampering.table
        and tampering.key in fault.key
        and tampering.what in fault.what
    )


@pytest.mark.parametrize("blocks", [1, 2, 5, 6, 7])
async def test_slices_of_any_size_add_up_to_the_whole(books: HubProcess, blocks: int) -> None:
    slices = await follow(books, blocks=blocks)
    whole = await ask(books, VerifyLedger(partition=0))
    assert [one.block for one in slices] == [*range(blocks, 6, blocks), 6]
    assert [one.ended for one in slices] == [False] * (len(slices) - 1) + [True]
    assert {one.head for one in slices} == {6}
    assert sum(one.outcomes for one in slices) == whole.outcomes
    assert sum(one.transfers for one in slices) == whole.transfers
    assert slices[-1].hash == whole.hash


async def test_a_resumed_run_takes_what_was_posted_since(books: HubProcess) -> None:
    before = (await follow(books))[-1]
    await ask_all(books, credit("more", citizen(3), 5, FOREVER))
    after = Checkpoint(block=before.block, hash=before.hash)
    (more,) = await follow(books, after)
    assert (more.block, more.outcomes, more.transfers, more.ended) == (7, 1, 1, True)
    report = await ask(books, VerifyLedger(partition=0, after=after))
    assert (report.block, report.outcomes, report.fault) == (7, 1, None)
    assert report.accounts > 10


@pytest.mark.parametrize("tampering", [one for one in TAMPERINGS if one.name in NAMED], ids=lambda t: t.name)
async def test_a_run_names_what_lies_after_the_place_it_resumes_from(
    books: HubProcess, owner: Owner, tampering: Tampering
) -> None:
    """What lies before that place is named by a run from the beginning, and by no other."""
    ends = await ends_of(owner)
    assert len(ends) == 6
    await owner.execute(tampering.sql)
    for blocks in (1, 4):
        assert is_named((await follow(books, blocks=blocks))[-1].fault, tampering)
    where = tampering.key.split("/")
    for end in ends:
        fault = (await follow(books, end))[-1].fault
        if len(where) == 1 or int(where[1]) > end.block:
            assert is_named(fault, tampering) or _was_proved(fault)
        else:
            assert fault is None or _was_proved(fault)
    assert is_named((await ask(books, VerifyLedger(partition=0))).fault, tampering)


def _was_proved(fault: Fault | None) -> bool:
    """The very block that the run resumes from was changed."""
    return fault is not None and "proved before" in fault.what


async def test_a_balance_is_added_up_whole_by_a_resumed_run_too(books: HubProcess, owner: Owner) -> None:
    end = (await ends_of(owner))[-1]
    await owner.execute("UPDATE ledger.transfer SET points = points + 1 WHERE partition = 0 AND block = 2 AND line = 0")
    assert (await follow(books, end))[-1].fault is None
    fault = (await ask(books, VerifyLedger(partition=0, after=end))).fault
    assert fault is not None
    assert "its transfers add up to" in fault.what


async def test_a_tail_cut_off_with_its_head_is_named_by_a_run_that_had_proved_it(
    books: HubProcess, owner: Owner
) -> None:
    ends = await ends_of(owner)
    await _run_all(owner, CUT)
    fault = (await follow(books, ends[-1]))[-1].fault
    assert fault == Fault(table="head", key="0", what="block 6 was proved before, and the chain ends with block 5")
    assert (await follow(books, ends[-2]))[-1].fault is None
    assert (await follow(books))[-1].fault is None


async def test_a_tail_made_anew_is_named_by_a_run_that_had_proved_it(books: HubProcess, owner: Owner) -> None:
    end = (await ends_of(owner))[-1].model_copy(update={"hash": "ab" * 32})
    fault = (await follow(books, end))[-1].fault
    assert fault == Fault(table="block", key="0/6", what="its hash is not the one proved before")


async def test_more_blocks_missing_than_a_slice_has_are_named(books: HubProcess, owner: Owner) -> None:
    await owner.execute("DELETE FROM ledger.block WHERE partition = 0 AND block BETWEEN 2 AND 4")
    fault = (await follow(books, blocks=2))[-1].fault
    assert fault == Fault(
        table="block", key="0/2", what="it is not there; the next one is 5, and the head says block 6"
    )


async def test_a_head_turned_back_is_named_and_the_rows_beyond_are_not_all_read(
    books: HubProcess, owner: Owner
) -> None:
    await owner.execute("UPDATE ledger.head SET block = 2 WHERE partition = 0")
    fault = (await follow(books))[-1].fault
    assert fault == Fault(table="head", key="0", what="it says block 2, and the chain ends with block 6")


async def _run_all(owner: Owner, statements: Sequence[str]) -> None:
    assert len(statements) == len(JOURNAL) + 1
    for statement in statements:
        await owner.execute(statement)
