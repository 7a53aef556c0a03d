"""Sweep: reserve points past their holding period go to the base municipality by themselves (mission section 3)."""

from schemas.points import SweepReserve
from schemas.problems import RefusalCode
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.move import moved
from workers.ledger.decide.opening import closed_code


def decide(command: SweepReserve, book: Book) -> Decision:
    """Everything that is due, and nothing else; each part settles to the partner it came from.

    Refused: same_pool, no_scheme, no_event, scheme_closed, event_closed, nothing_due. Raises DayNotBegunError.
    """
    book.check_begun(command.day)
    rule = book.rule(command.pool)
    if rule is None or not rule.is_open(book.today):
        return refused(closed_code(command.pool, rule))
    due = book.due_lots(command.citizen_id, reserve=True)
    if not due:
        return refused(RefusalCode.nothing_due)
    return moved(command, book, rule, due, by_itself=True)
