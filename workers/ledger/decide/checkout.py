"""Checkouts: points are authorised, captured or voided, and may be refunded (mission I.7, I.8)."""

from schemas.checkouts import (
    AuthorisationReleased,
    AuthorisePoints,
    CapturePoints,
    ExpireAuthorisation,
    PointsAuthorised,
    PointsCaptured,
    PointsRefunded,
    RefundCapture,
    VoidAuthorisation,
)
from schemas.holds import HoldKind, HoldState
from schemas.points import HoldCommand
from schemas.problems import RefusalCode
from schemas.values import RESERVE
from workers.ledger.accounts import Contra, Move
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.events import about
from workers.ledger.decide.holding import (
    Purpose,
    back,
    given_back,
    hold_of,
    into,
    is_over,
    open_hold,
    refunded_lot,
    set_aside,
    slice_of,
)
from workers.ledger.decide.opening import closed_code
from workers.ledger.holds import Hold


def authorise(command: AuthorisePoints, book: Book) -> Decision:
    """Points of a scheme, or of an event that is going on, or that a refund gave back, are set aside for an order.

    Refused: not_usable_here (reserve), no_scheme, no_event, event_closed, bad_period, hold_exists, insufficient_points.
    """
    rule = book.rule(command.pool)
    if command.pool == RESERVE:
        return refused(RefusalCode.not_usable_here)
    if rule is None or not rule.is_spendable(book.today, book.balance(command.citizen_id, command.pool)):
        return refused(closed_code(command.pool, rule))
    if command.expires_at <= book.now:
        return refused(RefusalCode.bad_period)
    purpose = Purpose(HoldKind.checkout, command.merchant_id, rule.lg_code, command.expires_at)
    hold = set_aside(command, book, purpose, command.points)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    moves = into(hold)
    event = PointsAuthorised(
        **about(command, book, command.pool, command.points, moves),
        hold_id=hold.hold_id,
        merchant_id=command.merchant_id,
        expires_at=command.expires_at,
    )
    return Decision(command.points, moves, (command.pool,), (event,), hold=hold)


def capture(command: CapturePoints, book: Book) -> Decision:
    """All or part of what is set aside goes to the merchant, the rest back to its lots; once.

    What was taken from the earliest lots is spent first. An expired hold counts as free the moment it expires, so it
    can no longer be captured, given back already or not. Refused: no_hold, hold_expired, hold_resolved,
    insufficient_points.
    """
    hold = hold_of(command, book, HoldKind.checkout)
    if hold is None:
        return refused(RefusalCode.no_hold)
    if hold.state is not HoldState.taken and is_over(hold, book):
        return refused(RefusalCode.hold_expired)
    if hold.state is not HoldState.open:
        return refused(RefusalCode.hold_resolved)
    points = hold.left if command.points is None else command.points
    if points > hold.left:
        return refused(RefusalCode.insufficient_points)
    rest = back(hold, book, slice_of(hold.parts, points, hold.left - points))
    moves = (Move(hold.account, Contra("shop", hold.counterparty_id), points), *rest)
    event = PointsCaptured(
        **about(command, book, hold.pool, points, moves), hold_id=hold.hold_id, merchant_id=hold.counterparty_id
    )
    return Decision(points, moves, (hold.pool,), (event,), hold=hold.resolved(HoldState.taken, taken=points))


def void(command: VoidAuthorisation, book: Book) -> Decision:
    """Everything set aside goes back to its lots. Refused: no_hold, hold_resolved."""
    hold = open_hold(command, book, HoldKind.checkout)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    return _released(command, book, hold, expired=False)


def expire(command: ExpireAuthorisation, book: Book) -> Decision:
    """Nobody captured in time: back to the lots. Refused: no_hold, hold_resolved, nothing_due."""
    hold = open_hold(command, book, HoldKind.checkout)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    if not is_over(hold, book):
        return refused(RefusalCode.nothing_due)
    return _released(command, book, hold, expired=True)


def refund(command: RefundCapture, book: Book) -> Decision:
    """Points come back from the merchant to the lots they came from, usable for some days at least.

    The last lots spent come back first; never more than was captured, over all refunds. Whose MyKey ID has ended gets
    nothing any more: then they expire. Refused: no_hold, not_captured, refund_limit.
    """
    hold = hold_of(command, book, HoldKind.checkout)
    if hold is None:
        return refused(RefusalCode.no_hold)
    if hold.state is not HoldState.taken:
        return refused(RefusalCode.not_captured)
    if command.points > hold.taken - hold.refunded:
        return refused(RefusalCode.refund_limit)
    parts = slice_of(hold.parts, hold.taken - hold.refunded - command.points, command.points)
    usable = [part._replace(lot=refunded_lot(part.lot, book)) for part in parts]
    moves = back(hold, book, usable, Contra("shop", hold.counterparty_id))
    event = PointsRefunded(
        **about(command, book, hold.pool, command.points, moves),
        hold_id=hold.hold_id,
        merchant_id=hold.counterparty_id,
    )
    return Decision(command.points, moves, (hold.pool,), (event,), hold=hold.refund(command.points))


def _released(command: HoldCommand, book: Book, hold: Hold, *, expired: bool) -> Decision:
    moves = back(hold, book, hold.parts)
    event = AuthorisationReleased(
        **about(command, book, hold.pool, hold.left, moves),
        hold_id=hold.hold_id,
        merchant_id=hold.counterparty_id,
        expired=expired,
    )
    return Decision(hold.left, moves, (hold.pool,), (event,), hold=given_back(hold, book))
