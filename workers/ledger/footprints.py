"""Which lots a command may look at and which contra accounts it may touch: the book has them before it is decided."""

from collections.abc import Callable
from typing import Any

from schemas.corrections import CorrectPosting, UseTogether
from schemas.grants import CreditCoupon, GrantPoints
from schemas.points import CreditPoints, HoldCommand, MovePoints, PostingCommand, SweepReserve, UsePoints
from schemas.values import RESERVE
from workers.ledger.accounts import Contra, LotKey
from workers.ledger.book import Book

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
    return lambda command, _book: (Contra(role, getattr(command, field)),)


def held_for(kind: str) -> Footprint:
    """Where points of the command's pool are set aside."""
    return lambda command, _book: (Contra(kind, None, command.pool),)


def of_hold(role: str | None = None, field: str | None = None) -> Footprint:
    """The account of the hold, and that of whom its points go to: a field of the command, or its counterparty."""

    def footprint(command: HoldCommand, book: Book) -> tuple[Contra, ...]:
        hold = book.holds.get(command.hold_id)
        if hold is None:
            return ()
        if role is None:
            return (hold.account,)
        return (hold.account, Contra(role, getattr(command, field) if field else hold.counterparty_id))

    return footprint


def of_pool(command: HoldCommand, book: Book) -> tuple[Contra, ...]:
    """The account of the hold, and that of its pool's expired points."""
    hold = book.holds.get(command.hold_id)
    return () if hold is None else (hold.account, Contra("expired", None, hold.pool))


def of_original(command: CorrectPosting, book: Book) -> tuple[Contra, ...]:
    """The accounts of the posting that is to be reversed."""
    original = book.originals.get((command.original_party_id, command.original_command_id))
    if original is None:
        return ()
    return tuple(account for move in original.moves for account in move[:2] if isinstance(account, Contra))
