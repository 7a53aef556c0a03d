"""What a writer remembers of a partition between batches: numbers that never change once they are committed.

Whether they are still those of this database the chain tells: a database that was put back to an earlier time, and has
gone on from there, has another hash at the block that was last seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from workers.ledger.accounts import Contra, RollupKey
from workers.ledger.chain import GENESIS

LIMIT: Final = 8_000
"""Of contra accounts, and of lines, for each partition; where there are more, all are looked up anew."""
LOOK_UPS: Final = 64
"""So many batches look for outcomes that are there already, after one was found to be there.

Seldom is a command asked again. So a batch is decided as if all its commands were new: where one is not, the unique key
refuses the whole transaction, which the hub runs again, and now they are looked up.
"""
LineKey: TypeAlias = tuple[RollupKey, int]
"""A line of the day's rollups: its key and its kind."""


@dataclass(slots=True)
class Remembered:
    """Only what was read under the lock of the partition's head, so that it was committed."""

    block: int = 0
    hash: bytes = GENESIS
    accounts: dict[Contra, int] = field(default_factory=dict)
    lines: dict[LineKey, int] = field(default_factory=dict)
    """Of one day."""
    day: date = date.min
    look_ups_left: int = 0

    def met_one(self) -> None:
        """A command of the batch had an outcome already."""
        self.look_ups_left = LOOK_UPS

    def looks_up(self) -> bool:
        """Whether this batch looks for outcomes that are there already."""
        if self.look_ups_left == 0:
            return False
        self.look_ups_left -= 1
        return True

    def seen(self, block: int, block_hash: bytes) -> None:
        """The head of the chain as it is locked now."""
        self.block, self.hash = block, block_hash

    def forget(self) -> None:
        """Begin anew."""
        self.accounts.clear()
        self.lines.clear()

    def learn_accounts(self, found: Iterable[tuple[Contra, int]]) -> None:
        """Numbers of contra accounts."""
        if len(self.accounts) > LIMIT:
            self.accounts.clear()
        self.accounts.update(found)

    def learn_lines(self, found: Iterable[tuple[LineKey, int]]) -> None:
        """Numbers of today's lines."""
        if len(self.lines) > LIMIT:
            self.lines.clear()
        self.lines.update(found)

    def begin(self, day: date) -> None:
        """Yesterday's lines are of no use any more."""
        if day != self.day:
            self.day = day
            self.lines.clear()
