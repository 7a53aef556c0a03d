"""The fields that every event about points shares."""

from collections.abc import Iterable
from typing import Any

from schemas.points import PostingCommand
from workers.ledger.accounts import Move
from workers.ledger.book import Book


def about(command: PostingCommand, book: Book, pool: str, points: int, moves: Iterable[Move]) -> dict[str, Any]:
    """Whose points, under which command, in which pool, and the pool's balance once these moves are made."""
    return {
        "citizen_id": command.citizen_id,
        "party_id": command.party_id,
        "command_id": command.command_id,
        "pool": pool,
        "points": points,
        "balance": book.balance(command.citizen_id, pool) + book.change(pool, moves),
        "posted_on": book.today,
    }
