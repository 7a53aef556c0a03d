"""What all partitions share where they live in several databases: commands' ids, vouchers' numbers, coupons.

It is claimed in the hub's own database, in the transaction that decides over the posting. With one database its unique
keys do all of this, and nothing is claimed.
"""

from collections.abc import Sequence
from uuid import UUID

from hub.errors import ContendedError
from hub.transaction import Transaction, Writing
from schemas.grants import CreditCoupon
from schemas.holds import HoldState
from schemas.points import HoldCommand, PostingCommand
from schemas.vouchers import IssueVoucher
from workers.ledger import spread_statements, state_statements, state_store, store
from workers.ledger.book import Book
from workers.ledger.holds import Hold
from workers.ledger.spread import Spread
from workers.ledger.store import Key, Known


class ClaimedError(ContendedError):
    """Another partition has just claimed the same: by the next try it is seen."""


class Shared:
    """Looked at before a batch is decided, and used up after it."""

    def __init__(self, spread: Spread) -> None:
        self._spread = spread

    async def claim(self, tx: Transaction, partition: int, commands: Sequence[PostingCommand]) -> dict[Key, Known]:
        """Claim the commands' ids for this partition; the outcomes of those that others have. Raises ClaimedError."""
        if not self._spread.is_wide:
            return {}
        parties, ids = [one.party_id for one in commands], [one.command_id for one in commands]
        await tx.execute(spread_statements.CLAIM_COMMANDS, parties, ids, partition)
        rows = await tx.fetch(spread_statements.CLAIMED_ELSEWHERE, parties, ids, partition)
        known: dict[Key, Known] = {}
        for owner, party_id, command_id in rows:
            there = await self._spread.at(tx, owner)
            found = await store.known_outcomes(there, [party_id], [command_id])
            if not found:  # decided, and not yet committed there
                raise ClaimedError(f"{party_id} {command_id}")
            known |= found
        return known

    async def load(
        self, tx: Transaction, here: Writing, partition: int, commands: Sequence[PostingCommand], book: Book
    ) -> None:
        """Put into the book what these commands meet of other partitions': numbers, holds, coupons."""
        if not self._spread.is_wide:
            return
        numbers = [number for one in commands if isinstance(one, IssueVoucher) for number in one.numbers]
        if numbers:
            claimed = await tx.fetch(spread_statements.NUMBERS_CLAIMED, numbers)
            book.numbers_taken |= {row["number"] for row in claimed}
        hold_ids = [one.hold_id for one in commands if isinstance(one, HoldCommand)]
        if hold_ids:
            for hold_id, owner in await tx.fetch(spread_statements.HOLDS_ELSEWHERE, hold_ids, partition):
                book.holds[hold_id] = await self._hold(tx, hold_id, owner)
        coupons = [one for one in commands if isinstance(one, CreditCoupon)]
        if coupons and here is not tx:
            await state_store.load_coupons(tx, coupons, book)

    async def _hold(self, tx: Transaction, hold_id: UUID, owner: int) -> Hold:
        there = await self._spread.at(tx, owner)
        row = await there.fetch_row(state_statements.HOLDS, [hold_id])
        if row is None:  # decided, and not yet committed there
            raise ClaimedError(str(hold_id))
        return state_store.hold_from(row, tx.sealer)

    async def use_up(self, tx: Transaction, here: Writing, partition: int, book: Book) -> None:
        """Claim new holds, give the numbers of vouchers that ended back, use coupons up. Raises ClaimedError."""
        if not self._spread.is_wide:
            return
        if book.touched_holds:
            await _claim_holds(tx, partition, [book.holds[hold_id] for hold_id in book.touched_holds])
        if book.coupons_used and here is not tx:
            await state_store.use_coupons(tx, book)
            await here.execute(spread_statements.KEEP_USED_COUPONS, *_used(book), book.today)


async def _claim_holds(tx: Transaction, partition: int, holds: Sequence[Hold]) -> None:
    new = [(one.hold_id, one.number if one.state is HoldState.open else None) for one in holds if one.is_new]
    ended = [one.hold_id for one in holds if one.number is not None and one.state is not HoldState.open]
    if ended:
        await tx.execute(spread_statements.FREE_NUMBERS, ended)
    if new:
        claimed = await tx.fetch(spread_statements.CLAIM_HOLDS, *zip(*new, strict=True), partition)
        if len(claimed) != len(new):
            raise ClaimedError("a hold, or a voucher's number")


def _used(book: Book) -> "tuple[Sequence[object], ...]":
    """By column: party, code's hash, points, pool, last day, citizen."""
    rows = [
        (*key, book.coupons[key].points, book.coupons[key].pool, book.coupons[key].last, citizen_id)
        for key, citizen_id in book.coupons_used.items()
    ]
    return tuple(zip(*rows, strict=True))
