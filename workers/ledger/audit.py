"""Following a chain: each block is hashed anew from its rows, and the first row that does not fit is named.

Pure: the rows come from `proving`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.audit import Fault
from schemas.values import lane_of
from workers.ledger.accounts import Kind
from workers.ledger.chain import GENESIS, AccountRow, Opened, OutcomeRow, TransferRow, accounts_hash, block_hash


class BlockRow(NamedTuple):
    """A row of ledger.block, without its time."""

    partition: int
    block: int
    previous: bytes
    hash: bytes
    outcomes: int
    transfers: int
    first_account: int | None = None
    until_account: int | None = None
    accounts_hash: bytes | None = None

    @property
    def opened(self) -> Opened | None:
        """The accounts that it says it opened."""
        if self.first_account is None or self.until_account is None or self.accounts_hash is None:
            return None
        return Opened(self.first_account, self.until_account, self.accounts_hash)


class HeadRow(NamedTuple):
    """A row of ledger.head, without its partition."""

    block: int
    hash: bytes
    next_account: int


@dataclass(slots=True)
class Chain:
    """How far a partition's chain has been followed without a fault, and the first fault after it."""

    partition: int
    block: int = 0
    hash: bytes = GENESIS
    outcomes: int = 0
    transfers: int = 0
    fault: Fault | None = field(default=None)
    accounts_fault: Fault | None = field(default=None)
    """The first block whose accounts are not as it opened them; which of them, another rule may know better."""

    def follow(
        self,
        row: BlockRow,
        outcomes: Sequence[OutcomeRow],
        transfers: Sequence[TransferRow],
        accounts: Sequence[AccountRow],
    ) -> bool:
        """Take the next block, with every row up to it that no earlier block took. Returns whether all is well.

        `accounts` are those with the numbers that it says it opened.
        """
        self.fault = (
            self._link_fault(row)
            or _count_fault(row, outcomes, transfers)
            or _outcomes_fault(outcomes, transfers)
            or _hash_fault(row, outcomes, transfers)
        )
        if self.fault is not None:
            return False
        self.accounts_fault = self.accounts_fault or _accounts_fault(row, accounts)
        self.block, self.hash = row.block, row.hash
        self.outcomes += len(outcomes)
        self.transfers += len(transfers)
        return True

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

    def _link_fault(self, row: BlockRow) -> Fault | None:
        if row.block != self.block + 1:
            missing = f"{self.partition}/{self.block + 1}"
            return Fault(table="block", key=missing, what=f"it is not there; the next one is {row.block}")
        if row.previous != self.hash:
            return _of_block(row, "it does not follow the block before it")
        return None


def _hash_fault(row: BlockRow, outcomes: Sequence[OutcomeRow], transfers: Sequence[TransferRow]) -> Fault | None:
    if block_hash(row.partition, row.block, row.previous, outcomes, transfers, row.opened) == row.hash:
        return None
    return _of_block(row, "its hash does not fit its rows: one of them was changed")


def _accounts_fault(row: BlockRow, accounts: Sequence[AccountRow]) -> Fault | None:
    opened = row.opened
    if opened is None or accounts_hash(accounts) == opened.hash:
        return None
    span = f"{opened.first} to {opened.until - 1}"
    return _of_block(row, f"accounts {span} are not as it opened them: whose they are, of which pool, or until when")


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
