"""Vouchers: issued against points, redeemed whole and once, gone when nobody redeems them (画面32–36)."""

import hmac
from datetime import timedelta

from hub.clock import start_of_day
from schemas.holds import HoldKind, HoldState
from schemas.problems import RefusalCode
from schemas.values import NO_ORIGIN
from schemas.vouchers import ExpireVoucher, IssueVoucher, RedeemVoucher, VoucherIssued, VoucherRedeemed
from workers.ledger.accounts import Contra, Move
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.events import about
from workers.ledger.decide.holding import Purpose, hold_of, into, is_over, open_hold, set_aside


def issue(command: IssueVoucher, book: Book) -> Decision:
    """Points go into the vouchers' account; the first free number is taken.

    The voucher has its own last day, at most 30 days on, whatever the points' is. Refused: not_usable_here,
    bad_voucher_day, no_number, hold_exists, insufficient_points.
    """
    rule = book.rule(command.pool)
    held = book.balance(command.citizen_id, command.pool)
    if rule is None or not rule.is_usable_at(command.lg_code, book.today, held):
        return refused(RefusalCode.not_usable_here)
    if not 0 <= (command.expires_on - book.today).days < book.terms.voucher_limit_days:
        return refused(RefusalCode.bad_voucher_day)
    number = next((number for number in command.numbers if number not in book.numbers_taken), None)
    if number is None:
        return refused(RefusalCode.no_number)
    until = start_of_day(command.expires_on + timedelta(days=1))
    purpose = Purpose(HoldKind.voucher, NO_ORIGIN, command.lg_code, until, number, command.check_code)
    hold = set_aside(command, book, purpose, command.points)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    moves = into(hold)
    event = VoucherIssued(
        **about(command, book, command.pool, command.points, moves),
        hold_id=hold.hold_id,
        expires_on=command.expires_on,
    )
    return Decision(command.points, moves, (command.pool,), (event,), hold=hold)


def redeem(command: RedeemVoucher, book: Book) -> Decision:
    """The whole voucher goes to the store; only then is it settled.

    An unknown voucher and a wrong check code get the same answer. Refused: no_voucher, voucher_used,
    voucher_expired, not_usable_here.
    """
    hold = hold_of(command, book, HoldKind.voucher)
    if hold is None:
        return refused(RefusalCode.no_voucher)
    if hold.check_code is None or not hmac.compare_digest(hold.check_code.encode(), command.check_code.encode()):
        return refused(RefusalCode.no_voucher)
    if hold.state is HoldState.taken:
        return refused(RefusalCode.voucher_used)
    if hold.state is not HoldState.open or is_over(hold, book):
        return refused(RefusalCode.voucher_expired)
    if hold.lg_code != command.lg_code:
        return refused(RefusalCode.not_usable_here)
    moves = (Move(hold.account, Contra("store", command.store_id), hold.left),)
    event = VoucherRedeemed(
        **about(command, book, hold.pool, hold.left, moves), hold_id=hold.hold_id, store_id=command.store_id
    )
    return Decision(hold.left, moves, (), (event,), hold=hold.resolved(HoldState.taken, taken=hold.left))


def expire(command: ExpireVoucher, book: Book) -> Decision:
    """Nobody redeemed it in time: its points are gone. Refused: no_hold, hold_resolved, nothing_due."""
    hold = open_hold(command, book, HoldKind.voucher)
    if isinstance(hold, RefusalCode):
        return refused(hold)
    if not is_over(hold, book):
        return refused(RefusalCode.nothing_due)
    move = Move(hold.account, Contra("expired", None, hold.pool), hold.left)
    return Decision(hold.left, (move,), hold=hold.resolved(HoldState.expired))
