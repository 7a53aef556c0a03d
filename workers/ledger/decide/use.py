"""Use: points are used at a counter (画面28–31)."""

from schemas.points import PointsUsed, UsePoints
from schemas.problems import RefusalCode
from workers.ledger.accounts import Move, account_of
from workers.ledger.book import Book, Decision, refused, take, total, wanted


def decide(command: UsePoints, book: Book) -> Decision:
    """The earliest last day is spent first, into the store's contra account.

    Usable at a counter: its municipality's points, that municipality's events, and its prefecture's events that name
    it. With `at_most`, as many of the points as there are. Refused: not_usable_here, insufficient_points.
    """
    rule = book.rule(command.pool)
    lots = book.usable_lots(command.citizen_id, command.pool)
    held = total(lots)
    if rule is None or not rule.is_usable_at(command.lg_code, book.today, held):
        return refused(RefusalCode.not_usable_here)
    points = wanted(command, held)
    if held < points:
        return refused(RefusalCode.insufficient_points)
    store = account_of("store", command.store_id)
    moves = tuple([Move(key, store, part) for key, part in take(lots, points)])
    event = PointsUsed.trusted(
        citizen_id=command.citizen_id,
        party_id=command.party_id,
        command_id=command.command_id,
        pool=command.pool,
        points=points,
        balance=held - points,
        posted_on=book.today,
        store_id=command.store_id,
    )
    return Decision(points, moves, (command.pool,), (event,))
