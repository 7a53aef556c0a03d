"""The fields that every event about points shares."""

from typing import Any

from schemas.points import PostingCommand
from workers.ledger.book import Book


def about(command: PostingCommand, book: Book, pool: str, change: int, points: int | None = None) -> dict[str, Any]:
    """Whose points, under which command, in which pool, and the pool's balance once `change` is made."""
    return {
        "citizen_id": command.citizen_id,
        "party_id": command.party_id,
        "command_id": command.command_id,
        "pool": pool,
        "points": abs(change) if points is None else points,
        "balance": book.balance(command.citizen_id, pool) + change,
        "posted_on": book.today,
    }
