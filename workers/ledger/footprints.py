"""Which lots a command may look at and which contra accounts it may touch: the book has them before it is decided.

The book knows the holds and lots that were there before the batch. What another command of the same batch makes, this
one may touch too: so whoever makes a hold names all accounts that its end may need.
"""

from collections.abc import Callable, Iterable
from typing import Any

from schemas.corrections import CorrectPosting, UseTogether
from schemas.grants import CreditCoupon, GrantPoints
from schemas.points import CreditPoints, HoldCommand, MovePoints, PostingCommand, SweepReserve, UsePoints
from schemas.values import RESERVE
from workers.ledger.accounts import Contra, LotKey, account_of
from workers.ledger.book import Book
from workers.ledger.holds import Hold

Footprint = Callable[[Any, Book], tuple[Contra, ...]]


def own_pool(command: CreditPoints | UsePoints | GrantPoints, _book: Book) -> tuple[str, ...]:
    """The pool that the command names."""
    return (command.pool,)


def own_and_reserve(command: MovePoints | SweepReserve, _book: Book) -> tuple[str, ...]:
    """Where the points go, and where they are."""
    return command.pool, RESERVE


def all_pools(_command: PostingCommand, _book: Book) -> tuple[str, ...]:
    """Everything that the citizen holds."""
    return ("",)


def pools_of_parts(command: UseTogether, _book: Book) -> tuple[str, ...]:
    """The pools of all parts."""
    return tuple(part.pool for part in command.parts)


def pool_of_hold(command: HoldCommand, book: Book) -> tuple[str, ...]:
    """The pool that the hold's points came from."""
    hold = book.holds.get(command.hold_id)
    return () if hold is None or hold.citizen_id != command.citizen_id else (hold.pool,)


def pool_of_coupon(command: CreditCoupon, book: Book) -> tuple[str, ...]:
    """Where the coupon's points go."""
    coupon = book.coupons.get((command.party_id, command.code_hash))
    return () if coupon is None else (coupon.pool,)


def pools_of_original(command: CorrectPosting, book: Book) -> tuple[str, ...]:
    """The pools that the original moved points in."""
    original = book.originals.get((command.original_party_id, command.original_command_id))
    moves = () if original is None else original.moves
    return tuple({account.pool: None for move in moves for account in move[:2] if isinstance(account, LotKey)})


def to_party(role: str, field: str) -> Footprint:
    """The account of the party that a field of the command names."""
    return lambda command, _book: (account_of(role, getattr(command, field)),)


def held_for(kind: str, role: str | None = None, field: str = "") -> Footprint:
    """Where points of the command's pool are set aside, and where they may go: to a party, or nowhere any more."""

    def footprint(command: Any, _book: Book) -> tuple[Contra, ...]:  # noqa: ANN401 - any command with a pool
        party = () if role is None else (Contra(role, getattr(command, field)),)
        return (Contra(kind, None, command.pool), Contra("expired", None, command.pool), *party)

    return footprint


def of_hold(role: str | None = None) -> Footprint:
    """The account of the hold, its pool's expired points, and its counterparty in this role."""

    def footprint(command: HoldCommand, book: Book) -> tuple[Contra, ...]:
        hold = book.holds.get(command.hold_id)
        if hold is None:
            return ()
        party = () if role is None else (Contra(role, hold.counterparty_id),)
        return (hold.account, Contra("expired", None, hold.pool), *party)

    return footprint


def of_holds(holds: Iterable[Hold]) -> list[Contra]:
    """Where the points of holds lie, and where they end: those of an order may go there by themselves."""
    return [account for hold in holds for account in (hold.account, Contra("expired", None, hold.pool))]


def of_original(command: CorrectPosting, book: Book) -> tuple[Contra, ...]:
    """The accounts of the posting that is to be reversed, and of its pools' expired points."""
    original = book.originals.get((command.original_party_id, command.original_command_id))
    if original is None:
        return ()
    accounts = [account for move in original.moves for account in move[:2]]
    return tuple(one if isinstance(one, Contra) else Contra("expired", None, one.pool) for one in accounts)


def of_everything_held(command: PostingCommand, book: Book) -> tuple[Contra, ...]:
    """The expired points of every pool that the citizen may have points in by then."""
    return tuple(Contra("expired", None, pool) for pool in book.pools_of(command.citizen_id))
