"""Move: the citizen moves reserve points to a scheme or an event (画面41–51)."""

from schemas.points import MovePoints, PointsMoved, SweepReserve
from schemas.problems import RefusalCode
from schemas.values import NO_ORIGIN, RESERVE
from workers.ledger.accounts import LotKey, Move, PoolRule
from workers.ledger.book import Book, Decision, refused, take, wanted
from workers.ledger.decide.opening import closed_code


def decide(command: MovePoints, book: Book) -> Decision:
    """The earliest held reserve points go first; each part settles to the partner it came from.

    With `at_most`, as many of the points as there are. Refused: same_pool, no_scheme, no_event, scheme_closed,
    event_closed, insufficient_points.
    """
    rule = book.rule(command.pool)
    if rule is None or not rule.is_open(book.today):
        return refused(closed_code(command.pool, rule))
    lots = book.usable_lots(command.citizen_id, RESERVE)
    held = sum(part for _, part in lots)
    points = wanted(command, held)
    if held < points:
        return refused(RefusalCode.insufficient_points)
    return moved(command, book, rule, take(lots, points), by_itself=False)


def moved(
    command: MovePoints | SweepReserve,
    book: Book,
    rule: PoolRule,
    parts: list[tuple[LotKey, int]],
    *,
    by_itself: bool,
) -> Decision:
    """The decision that moves these parts of reserve lots into the rule's pool."""
    target = LotKey(rule.pool, rule.expires_on(book.today), NO_ORIGIN)
    points = sum(part for _, part in parts)
    event = PointsMoved(
        citizen_id=command.citizen_id,
        party_id=command.party_id,
        command_id=command.command_id,
        pool=rule.pool,
        points=points,
        balance=book.balance(command.citizen_id, rule.pool) + points,
        posted_on=book.today,
        expires_on=target.expires_on,
        by_itself=by_itself,
    )
    moves = tuple(Move(key, target, part) for key, part in parts)
    return Decision(points, moves, (RESERVE, rule.pool), (event,))
