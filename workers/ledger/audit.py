"""The audit: re-adds everything in one partition as it stood at one moment, and names the first row that does not fit.

The chain is followed from its first block, each block hashed anew from its rows (bounded memory: three streams side by
side); balances, the allow-list of transfers and the rollups are re-added by set-based SQL (audit_statements).
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from hub.transaction import Reading, Snapshot
from schemas.audit import Checkpoint, Fault, VerifyLedger, VerifyReport
from schemas.values import lane_of
from workers.ledger import audit_statements
from workers.ledger.accounts import Kind
from workers.ledger.chain import GENESIS, OutcomeRow, TransferRow, block_hash


class BlockRow(NamedTuple):
    """A row of ledger.block, without its time."""

    partition: int
    block: int
    previous: bytes
    hash: bytes
    outcomes: int
    transfers: int


class HeadRow(NamedTuple):
    """A row of ledger.head, without its partition."""

    block: int
    hash: bytes
    next_account: int


Row = TypeVar("Row", bound=OutcomeRow | TransferRow)


@dataclass(slots=True)
class Chain:
    """How far a partition's chain has been followed, and the first fault on the way."""

    partition: int
    checkpoint: Checkpoint | None = None
    block: int = 0
    hash: bytes = GENESIS
    outcomes: int = 0
    transfers: int = 0
    fault: Fault | None = field(default=None)

    def follow(self, row: BlockRow, outcomes: Sequence[OutcomeRow], transfers: Sequence[TransferRow]) -> bool:
        """Take the next block, with every row up to it that no earlier block took. Returns whether all is well."""
        self.fault = (
            self._link_fault(row)
            or _count_fault(row, outcomes, transfers)
            or _outcomes_fault(outcomes, transfers)
            or self._hash_fault(row, outcomes, transfers)
        )
        self.block, self.hash = row.block, row.hash
        self.outcomes += len(outcomes)
        self.transfers += len(transfers)
        return self.fault is None

    def end(self, head: HeadRow, outcomes: Sequence[OutcomeRow], transfers: Sequence[TransferRow]) -> None:
        """Compare the end with the head; the rows are those that no block took."""
        strays: list[OutcomeRow | TransferRow] = [*outcomes[:1], *transfers[:1]]
        if strays:
            self.fault = _of_row(strays[0], "its block is not there")
        elif (head.block, head.hash) != (self.block, self.hash):
            what = f"it says block {head.block}, and the chain ends with block {self.block}"
            if head.block == self.block:
                what = "its hash is not the last block's"
            self.fault = Fault(table="head", key=str(self.partition), what=what)
        elif self.checkpoint is not None and self.checkpoint.block > self.block:
            what = f"the checkpoint saw block {self.checkpoint.block}, and the chain ends with block {self.block}"
            self.fault = Fault(table="head", key=str(self.partition), what=what)

    def _link_fault(self, row: BlockRow) -> Fault | None:
        if row.block != self.block + 1:
            missing = f"{self.partition}/{self.block + 1}"
            return Fault(table="block", key=missing, what=f"it is not there; the next one is {row.block}")
        if row.previous != self.hash:
            return _of_block(row, "it does not follow the block before it")
        return None

    def _hash_fault(
        self, row: BlockRow, outcomes: Sequence[OutcomeRow], transfers: Sequence[TransferRow]
    ) -> Fault | None:
        if block_hash(row.partition, row.block, row.previous, outcomes, transfers) != row.hash:
            return _of_block(row, "its hash does not fit its rows: one of them was changed")
        if self.checkpoint == Checkpoint(block=row.block, hash=row.hash.hex()):
            return None
        if self.checkpoint is not None and self.checkpoint.block == row.block:
            return _of_block(row, "its hash is not the one of the checkpoint")
        return None


def _count_fault(block: BlockRow, outcomes: Sequence[OutcomeRow], transfers: Sequence[TransferRow]) -> Fault | None:
    """Every row belongs to this block, numbers run without gaps, and there are as many as the block says."""
    for number, outcome in enumerate(outcomes):
        if outcome.block != block.block:
            return _of_row(outcome, "its block is not there")
        if outcome.number != number:
            return _of_block(block, f"its outcome number {number} is not there")
    for line, transfer in enumerate(transfers):
        if transfer.block != block.block:
            return _of_row(transfer, "its block is not there")
        if transfer.line != line:
            return _of_block(block, f"its transfer line {line} is not there")
    if (block.outcomes, block.transfers) != (len(outcomes), len(transfers)):
        said = f"it says {block.outcomes} outcomes and {block.transfers} transfers"
        return _of_block(block, f"{said}, and there are {len(outcomes)} and {len(transfers)}")
    return None


def _outcomes_fault(outcomes: Sequence[OutcomeRow], transfers: Sequence[TransferRow]) -> Fault | None:
    """Every transfer belongs to a posted outcome, and an outcome's transfers add up to what it says."""
    moved = [0] * len(outcomes)
    for transfer in transfers:
        if not 0 <= transfer.outcome < len(outcomes):
            return _of_row(transfer, "its outcome is not there")
        outcome = outcomes[transfer.outcome]
        if outcome.code is not None:
            return _of_row(transfer, "its outcome was refused")
        if (transfer.kind, transfer.business_date) != (outcome.kind, outcome.posted_on):
            return _of_row(transfer, "its kind or date is not its outcome's")
        moved[transfer.outcome] += transfer.points
    for outcome, points in zip(outcomes, moved, strict=True):
        if not _adds_up(outcome, points):
            return _of_row(outcome, f"it says {outcome.points} points, and its transfers add up to {points}")
        if lane_of(outcome.citizen_id) != outcome.partition:
            return _of_row(outcome, "its citizen belongs to another partition")
    return None


def _adds_up(outcome: OutcomeRow, points: int) -> bool:
    """Whether an outcome's transfers are what it says: a capture also gives the rest back, a revocation may be of 0."""
    if outcome.kind == Kind.capture and outcome.code is None:
        return 0 < outcome.points <= points
    moves_something = points > 0 or outcome.code is not None or outcome.kind == Kind.revoke
    return points == outcome.points and moves_something


def _of_block(row: BlockRow, what: str) -> Fault:
    return Fault(table="block", key=f"{row.partition}/{row.block}", what=what)


def _of_row(row: OutcomeRow | TransferRow, what: str) -> Fault:
    if isinstance(row, OutcomeRow):
        return Fault(table="outcome", key=f"{row.partition}/{row.block}/{row.number}", what=what)
    return Fault(table="transfer", key=f"{row.partition}/{row.block}/{row.line}", what=what)


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


async def follow_chain(snapshot: Snapshot, partition: int, checkpoint: Checkpoint | None = None) -> Chain:
    """Follow a partition's chain from its first block to the head, or to the first fault."""
    chain = Chain(partition, checkpoint)
    outcomes = _Stream(snapshot.stream(audit_statements.OUTCOMES, partition), OutcomeRow)
    transfers = _Stream(snapshot.stream(audit_statements.TRANSFERS, partition), TransferRow)
    async for chunk in snapshot.stream(audit_statements.BLOCKS, partition):
        for record in chunk:
            row = BlockRow(*record)
            if not chain.follow(row, await outcomes.up_to(row.block), await transfers.up_to(row.block)):
                return chain
    head = await snapshot.fetch_row(audit_statements.HEAD, partition)
    if head is None:
        chain.fault = Fault(table="head", key=str(partition), what="it is not there")
    else:
        chain.end(HeadRow(*head), await outcomes.up_to(None), await transfers.up_to(None))
    return chain


async def verify(snapshot: Snapshot, partition: int, checkpoint: Checkpoint | None = None) -> VerifyReport:
    """Prove one partition; the report names the first bad row, or none."""
    chain = await follow_chain(snapshot, partition, checkpoint)
    fault = chain.fault
    for rule in audit_statements.RULES:
        if fault is None and (found := await snapshot.fetch_row(rule, partition)) is not None:
            fault = Fault.model_validate(dict(found))
    counts = await snapshot.fetch_row(audit_statements.COUNTS, partition)
    accounts, rollups = counts if counts is not None else (0, 0)
    return VerifyReport(
        partition=partition, block=chain.block, hash=chain.hash.hex(), outcomes=chain.outcomes,
        transfers=chain.transfers, accounts=accounts, rollups=rollups, fault=fault,
    )  # fmt: skip


async def verify_ledger(query: VerifyLedger, reading: Reading) -> VerifyReport:
    """The proof of one partition, from one snapshot: it holds while the writers go on."""
    async with reading.snapshot() as snapshot:
        return await verify(snapshot, query.partition, query.checkpoint)
