"""Expire: municipal and event points past their last day are gone (mission section 3)."""

from collections import defaultdict

from schemas.points import ExpirePoints, PointsExpired
from schemas.problems import RefusalCode
from workers.ledger.accounts import Contra, LotKey, Move
from workers.ledger.book import Book, Decision, refused


def decide(command: ExpirePoints, book: Book) -> Decision:
    """Every lot past its last day goes to its pool's account of expired points. Refused: nothing_due.

    Raises DayNotBegunError.
    """
    book.check_begun(command.day)
    due = book.due_lots(command.citizen_id, reserve=False)
    if not due:
        return refused(RefusalCode.nothing_due)
    moves = tuple(Move(key, Contra("expired", None, key.pool), points) for key, points in due)
    by_pool = _by_pool(due)
    events = tuple(
        PointsExpired(
            citizen_id=command.citizen_id,
            party_id=command.party_id,
            command_id=command.command_id,
            pool=pool,
            points=points,
            balance=book.balance(command.citizen_id, pool),
            posted_on=book.today,
        )
        for pool, points in by_pool.items()
    )
    return Decision(sum(by_pool.values()), moves, tuple(by_pool), events)


def _by_pool(due: list[tuple[LotKey, int]]) -> dict[str, int]:
    by_pool: dict[str, int] = defaultdict(int)
    for key, points in due:
        by_pool[key.pool] += points
    return dict(by_pool)
