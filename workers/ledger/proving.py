"""The audit: re-adds everything in one partition, and names the first row that does not fit.

The chain is followed in slices, each from a snapshot of its own, so that no snapshot is held for as long as the whole
takes; within a slice in bounded memory, four streams side by side. Balances, the allow-list of transfers, the holds
and the rollups are re-added by set-based SQL: each rule is one statement, and so sees one committed state.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from hub.transaction import Reading, Snapshot
from schemas.audit import SLICE_BLOCKS, ChainSlice, Checkpoint, Fault, FollowChain, VerifyLedger, VerifyReport
from workers.ledger import audit_statements
from workers.ledger.audit import BlockRow, Chain, HeadRow
from workers.ledger.chain import AccountRow, OutcomeRow, TransferRow
from workers.ledger.checkpoint_statements import CHECKPOINTS, KEPT_CHECKPOINTS

LEAST_BLOCK: Final = -(1 << 63)
MOST_BLOCK: Final = (1 << 63) - 1
"""What a bigint can hold: rows outside the chain's numbers are looked for too."""

Row = TypeVar("Row", bound=OutcomeRow | TransferRow)


class _Stream(Generic[Row]):
    """Rows in the order of their blocks, handed out block by block."""

    def __init__(self, chunks: AsyncIterator[list[Any]], kind: type[Row]) -> None:
        self._chunks = chunks
        self._kind = kind
        self._rows: deque[Row] = deque()

    async def up_to(self, block: int | None) -> list[Row]:
        """All rows of blocks up to this one that were not yet handed out; all the rest for None, at most one chunk."""
        while not self._rows or (block is not None and self._rows[-1].block <= block):
            chunk = await anext(self._chunks, None)
            if chunk is None:
                break
            self._rows.extend(self._kind(*row) for row in chunk)
        taken: list[Row] = []
        while self._rows and (block is None or self._rows[0].block <= block):
            taken.append(self._rows.popleft())
        return taken


class _Accounts:
    """Accounts in the order of their numbers, handed out block by block."""

    def __init__(self, chunks: AsyncIterator[list[Any]]) -> None:
        self._chunks = chunks
        self._rows: deque[AccountRow] = deque()

    async def of(self, block: BlockRow) -> list[AccountRow]:
        """Those that the block says it opened; what lies before them is passed over."""
        opened = block.opened
        if opened is None:
            return []
        while not self._rows or self._rows[-1].account < opened.until:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                break
            self._rows.extend(AccountRow(*row) for row in chunk)
        taken: list[AccountRow] = []
        while self._rows and self._rows[0].account < opened.until:
            taken.append(self._rows.popleft())
        return [row for row in taken if row.account >= opened.first]


class _Rows:
    """The rows after a chain's last block, up to `until`; drawn as the blocks call for them."""

    def __init__(self, snapshot: Snapshot, chain: Chain, until: int) -> None:
        self._snapshot = snapshot
        self._chain = chain
        self._first = chain.block + 1 if chain.block else LEAST_BLOCK
        self.outcomes = _Stream(self._stream(audit_statements.OUTCOMES, until), OutcomeRow)
        self.transfers = _Stream(self._stream(audit_statements.TRANSFERS, until), TransferRow)
        self.accounts = _Accounts(self._stream(audit_statements.ACCOUNTS, until))

    def _stream(self, sql: str, until: int) -> AsyncIterator[list[Any]]:
        return self._snapshot.stream(sql, self._chain.partition, self._first, until)

    async def follow(self, until: int) -> bool:
        """Follow the chain's blocks up to this one. Returns whether all is well."""
        async for chunk in self._stream(audit_statements.BLOCKS, until):
            for record in chunk:
                row = BlockRow(*record)
                outcomes = await self.outcomes.up_to(row.block)
                transfers = sorted(await self.transfers.up_to(row.block), key=attrgetter("block", "line"))
                if not self._chain.follow(row, outcomes, transfers, await self.accounts.of(row)):
                    return False
        return True


async def verify_ledger(query: VerifyLedger, reading: Reading) -> VerifyReport:
    """The proof of one partition; it holds while the writers go on."""
    chain = _chain(query.partition, query.after)
    await _follow_to_the_end(reading, chain)
    fault = chain.fault or await _checkpoint_fault(reading, query.partition, query.checkpoints)
    for rule in (KEPT_CHECKPOINTS, *audit_statements.RULES):
        fault = fault or await _first_fault(reading, rule, query.partition)
    fault = fault or chain.accounts_fault
    async with reading.snapshot() as snapshot:
        counts = await snapshot.fetch_row(audit_statements.COUNTS, query.partition)
    accounts, rollups = counts if counts is not None else (0, 0)
    return VerifyReport(
        partition=query.partition, block=chain.block, hash=chain.hash.hex(), outcomes=chain.outcomes,
        transfers=chain.transfers, accounts=accounts, rollups=rollups, fault=fault,
    )  # fmt: skip


async def follow_chain(query: FollowChain, reading: Reading) -> ChainSlice:
    """One slice of one partition's chain, from one snapshot."""
    chain = _chain(query.partition, query.after)
    async with reading.snapshot() as snapshot:
        head = await _follow_slice(snapshot, chain, query.blocks)
    fault = chain.fault or chain.accounts_fault
    return ChainSlice(
        partition=query.partition, block=chain.block, hash=chain.hash.hex(), outcomes=chain.outcomes,
        transfers=chain.transfers, head=head, ended=fault is None and chain.block >= head, fault=fault,
    )  # fmt: skip


def _chain(partition: int, after: Checkpoint | None) -> Chain:
    return Chain(partition, after.block, bytes.fromhex(after.hash)) if after else Chain(partition)


async def _follow_to_the_end(reading: Reading, chain: Chain) -> None:
    """Slice by slice to the head that there was at first; the last slice takes what was posted meanwhile too."""
    async with reading.snapshot() as snapshot:
        head = await _follow_slice(snapshot, chain, SLICE_BLOCKS)
    first_head = head
    while chain.fault is None and chain.block < head:
        blocks = SLICE_BLOCKS if first_head - chain.block > SLICE_BLOCKS else None
        async with reading.snapshot() as snapshot:
            head = await _follow_slice(snapshot, chain, blocks)


async def _follow_slice(snapshot: Snapshot, chain: Chain, blocks: int | None) -> int:
    """Follow the next `blocks` blocks, or all for None, and compare the end with the head if it is among them.

    Returns the head's block. Each slice that is not the last one goes on by a block at least, or finds a fault.
    """
    record = await snapshot.fetch_row(audit_statements.HEAD, chain.partition)
    if record is None:
        chain.fault = Fault(table="head", key=str(chain.partition), what="it is not there")
        return 0
    head, last_block = HeadRow(*record[:3]), record["last_block"]
    chain.fault = await _start_fault(snapshot, chain, last_block)
    until = MOST_BLOCK if blocks is None else chain.block + blocks
    if chain.fault is not None:
        return head.block
    if head.block > until:
        await _follow_middle(snapshot, chain, until, head)
    elif last_block > until:
        what = f"it says block {head.block}, and the chain ends with block {last_block}"
        chain.fault = Fault(table="head", key=str(chain.partition), what=what)
    else:
        rows = _Rows(snapshot, chain, MOST_BLOCK)
        if await rows.follow(until):
            chain.end(head, await rows.outcomes.up_to(None), await rows.transfers.up_to(None))
    return head.block


async def _follow_middle(snapshot: Snapshot, chain: Chain, until: int, head: HeadRow) -> None:
    start = chain.block
    if await _Rows(snapshot, chain, until).follow(until) and chain.block == start:
        following = await snapshot.fetch_value(audit_statements.NEXT_BLOCK, chain.partition, start)
        what = f"it is not there; the next one is {following or 'nowhere'}, and the head says block {head.block}"
        chain.fault = Fault(table="block", key=f"{chain.partition}/{start + 1}", what=what)


async def _start_fault(snapshot: Snapshot, chain: Chain, last_block: int) -> Fault | None:
    """The block that was followed last is still there, as it was."""
    if chain.block == 0:
        return None
    stored = await snapshot.fetch_value(audit_statements.BLOCK_HASH, chain.partition, chain.block)
    if stored == chain.hash:
        return None
    if stored is None and last_block < chain.block:
        what = f"block {chain.block} was proved before, and the chain ends with block {last_block}"
        return Fault(table="head", key=str(chain.partition), what=what)
    what = "it was proved before, and is not there" if stored is None else "its hash is not the one proved before"
    return Fault(table="block", key=f"{chain.partition}/{chain.block}", what=what)


async def _checkpoint_fault(reading: Reading, partition: int, checkpoints: Sequence[Checkpoint]) -> Fault | None:
    blocks = [one.block for one in checkpoints]
    hashes = [bytes.fromhex(one.hash) for one in checkpoints]
    return await _first_fault(reading, CHECKPOINTS, partition, blocks, hashes)


async def _first_fault(reading: Reading, rule: str, *args: object) -> Fault | None:
    async with reading.snapshot() as snapshot:
        if rule in audit_statements.READ_THE_JOURNAL:
            await snapshot.fetch_row(audit_statements.JOIN_WHOLE_TABLES)
        found = await snapshot.fetch_row(rule, *args)
    return None if found is None else Fault.model_validate(dict(found))
