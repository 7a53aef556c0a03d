"""Which contra accounts a command may touch, so that the book has them before it is decided."""

from collections.abc import Callable
from typing import Any

from schemas.corrections import CorrectPosting
from schemas.points import HoldCommand
from workers.ledger.accounts import Contra
from workers.ledger.book import Book

Footprint = Callable[[Any, Book], tuple[Contra, ...]]


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
