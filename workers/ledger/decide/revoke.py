"""Revoke: what a citizen has left expires with the MyKey ID (画面63); it cannot be undone."""

from collections import defaultdict

from schemas.corrections import CitizenRevoked, RevokeCitizen
from workers.ledger.accounts import Contra, Move
from workers.ledger.book import Book, Decision
from workers.ledger.decide.events import about


def decide(command: RevokeCitizen, book: Book) -> Decision:
    """Every lot goes to its pool's account of expired points; from then on nothing can be posted for the citizen.

    What is set aside stays so: a voucher in somebody's hand can still be redeemed, a street may still answer. What
    would come back of it expires too.
    """
    lots = book.all_lots(command.citizen_id)
    by_pool: dict[str, int] = defaultdict(int)
    for key, points in lots:
        by_pool[key.pool] += points
    moves = tuple(Move(key, Contra("expired", None, key.pool), points) for key, points in lots)
    events = tuple(CitizenRevoked(**about(command, book, pool, points, moves)) for pool, points in by_pool.items())
    return Decision(sum(by_pool.values()), moves, tuple(by_pool), events, revokes=True)
