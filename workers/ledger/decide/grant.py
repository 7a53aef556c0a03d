"""Grant: a municipality's programme grants its points to a participant (mission V)."""

from schemas.grants import GrantPoints, PointsGranted
from schemas.values import NO_ORIGIN
from workers.ledger.accounts import Contra, LotKey, Move
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.events import about
from workers.ledger.decide.opening import closed_code


def decide(command: GrantPoints, book: Book) -> Decision:
    """Points come from the programme's contra account; never into reserve.

    Refused: same_pool, no_scheme, no_event, scheme_closed, event_closed.
    """
    rule = book.rule(command.pool)
    if rule is None or not rule.is_open(book.today):
        return refused(closed_code(command.pool, rule))
    lot = LotKey(command.pool, rule.expires_on(book.today), NO_ORIGIN)
    moves = (Move(Contra("programme", command.programme_id), lot, command.points),)
    event = PointsGranted(
        **about(command, book, command.pool, command.points, moves),
        programme_id=command.programme_id,
        expires_on=lot.expires_on,
    )
    return Decision(command.points, moves, (command.pool,), (event,))
