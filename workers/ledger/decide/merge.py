"""Merges: points leave for a shopping street's own system, or come back from it (mission III.14–17)."""

from schemas.holds import HoldKind, HoldState
from schemas.merges import AcknowledgeMerge, MergeAcknowledged, MergeReturned, MergeSent, ReturnMerge, SendMerge
from schemas.problems import RefusalCode
from workers.ledger.accounts import Contra, Move
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.events import about
from workers.ledger.decide.holding import into, open_hold, refunded_lot, set_aside


def send(command: SendMerge, book: Book) -> Decision:
    """Points are set aside until the street answers; they do not come back by themselves.

    Refused: not_usable_here, insufficient_points, hold_exists.
    """
    rule = book.rule(command.pool)
    if rule is None or not rule.is_usable_at(command.lg_code, book.today):
        return refused(RefusalCode.not_usable_here)
    hold = set_aside(
        command,
        book,
        kind=HoldKind.merge,
        pool=command.pool,
        points=command.points,
        counterparty_id=command.street_id,
        lg_code=command.lg_code,
        expires_at=None,
    )
    if isinstance(hold, RefusalCode):
        return refused(hold)
    event = MergeSent(
        **about(command, book, command.pool, -command.points), hold_id=hold.hold_id, street_id=command.street_id
    )
    return Decision(command.points, into(hold), (command.pool,), (event,), hold=hold)


def acknowledge(command: AcknowledgeMerge, book: Book) -> Decision:
    """The street has them: settled with it. Refused: no_hold, hold_resolved."""
    hold = open_hold(command, book, HoldKind.merge)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    move = Move(hold.account, Contra("street", hold.counterparty_id), hold.left)
    event = MergeAcknowledged(
        **about(command, book, hold.pool, 0, points=hold.left), hold_id=hold.hold_id, street_id=hold.counterparty_id
    )
    return Decision(hold.left, (move,), (), (event,), hold=hold.resolved(HoldState.taken, taken=hold.left))


def give_back(command: ReturnMerge, book: Book) -> Decision:
    """The street refused the file: back to the lots they came from, usable for some days at least.

    Refused: no_hold, hold_resolved.
    """
    hold = open_hold(command, book, HoldKind.merge)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    event = MergeReturned(
        **about(command, book, hold.pool, hold.left), hold_id=hold.hold_id, street_id=hold.counterparty_id
    )
    least = book.terms.refund_least_days
    moves = tuple(Move(hold.account, refunded_lot(part.lot, book.today, least), part.points) for part in hold.parts)
    return Decision(hold.left, moves, (hold.pool,), (event,), hold=hold.resolved(HoldState.returned))
