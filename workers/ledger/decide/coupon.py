"""Coupon: its code is used up and its points are credited in one commit (画面20–21)."""

from schemas.grants import CreditCoupon
from schemas.points import PointsCredited
from schemas.problems import RefusalCode
from workers.ledger.accounts import Contra, Move
from workers.ledger.book import Book, Decision, refused
from workers.ledger.decide.credit import target_lot
from workers.ledger.decide.events import about


def decide(command: CreditCoupon, book: Book) -> Decision:
    """The party is the partner that gave the coupon out; the points settle with it.

    Unknown, used and expired coupons get the same answer, so that guessing tells nothing. Refused: no_coupon,
    no_scheme, no_event, scheme_closed, event_closed.
    """
    key = (command.party_id, command.code_hash)
    coupon = book.coupons.get(key)
    if coupon is None or coupon.used_by is not None or key in book.coupons_used or coupon.last < book.today:
        return refused(RefusalCode.no_coupon)
    lot = target_lot(coupon.pool, command.party_id, book)
    if isinstance(lot, RefusalCode):
        return refused(lot)
    moves = (Move(Contra("partner", command.party_id), lot, coupon.points),)
    event = PointsCredited(**about(command, book, coupon.pool, coupon.points, moves), expires_on=lot.expires_on)
    return Decision(coupon.points, moves, (coupon.pool,), (event,), uses_coupon=key)
