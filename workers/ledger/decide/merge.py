"""Merges: points leave for a shopping street's own system, or come back from it (mission III.14–17)."""

from schemas.holds import HoldKind, HoldState
from schemas.merges import AcknowledgeMerge, MergeAcknowledged, MergeReturned, MergeSent, ReturnMerge, SendMerge
from schemas.problems import RefusalCode
from workers.ledger.accounts import Contra, Move
from workers.ledger.book import Book, Decision, refused, wanted
from workers.ledger.decide.events import about
from workers.ledger.decide.holding import Purpose, back, given_back, into, open_hold, refunded_lot, set_aside


def send(command: SendMerge, book: Book) -> Decision:
    """Points are set aside until the street answers; they do not come back by themselves.

    With `at_most`, as many of the points as there are. Refused: not_usable_here, hold_exists, insufficient_points.
    """
    rule = book.rule(command.pool)
    held = book.balance(command.citizen_id, command.pool)
    if rule is None or not rule.is_usable_at(command.lg_code, book.today, held):
        return refused(RefusalCode.not_usable_here)
    points = wanted(command, held)
    hold = set_aside(command, book, Purpose(HoldKind.merge, command.street_id, command.lg_code), points)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    moves = into(hold)
    event = MergeSent(
        **about(command, book, command.pool, hold.points, moves), hold_id=hold.hold_id, street_id=command.street_id
    )
    return Decision(hold.points, moves, (command.pool,), (event,), hold=hold)


def acknowledge(command: AcknowledgeMerge, book: Book) -> Decision:
    """The street has them: settled with it. Refused: no_hold, hold_resolved."""
    hold = open_hold(command, book, HoldKind.merge)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    moves = (Move(hold.account, Contra("street", hold.counterparty_id), hold.left),)
    event = MergeAcknowledged(
        **about(command, book, hold.pool, hold.left, moves), hold_id=hold.hold_id, street_id=hold.counterparty_id
    )
    return Decision(hold.left, moves, (), (event,), hold=hold.resolved(HoldState.taken, taken=hold.left))


def give_back(command: ReturnMerge, book: Book) -> Decision:
    """The street refused the file: back to the lots they came from, usable for some days at least.

    Refused: no_hold, hold_resolved.
    """
    hold = open_hold(command, book, HoldKind.merge)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    moves = back(hold, book, [part._replace(lot=refunded_lot(part.lot, book)) for part in hold.parts])
    event = MergeReturned(
        **about(command, book, hold.pool, hold.left, moves), hold_id=hold.hold_id, street_id=hold.counterparty_id
    )
    return Decision(hold.left, moves, (hold.pool,), (event,), hold=given_back(hold, book))
