"""Coupons that partners register; using one is an operation (`decide/coupon`)."""

from collections.abc import Sequence

from hub.transaction import Reading, Transaction
from schemas.grants import CouponOf, CouponOffer, CouponsRegistered, FoundCoupon, RegisterCoupons
from workers.ledger import state_statements


async def register_coupons(commands: Sequence[RegisterCoupons], tx: Transaction) -> list[CouponsRegistered]:
    """Keep what is new; a code hash that is there already stays as it is, used or not."""
    answers: list[CouponsRegistered] = []
    for command in commands:
        coupons = command.coupons
        rows = await tx.fetch(
            state_statements.REGISTER_COUPONS,
            command.party_id,
            [coupon.code_hash for coupon in coupons],
            [coupon.points for coupon in coupons],
            [coupon.pool for coupon in coupons],
            [coupon.last for coupon in coupons],
        )
        answers.append(CouponsRegistered(registered=len(rows)))
    return answers


async def coupon_of(query: CouponOf, reading: Reading) -> FoundCoupon:
    """Unknown, used and expired are answered alike, as `decide.coupon` does."""
    today = reading.clock.business_date()
    row = await reading.fetch_row(state_statements.COUPON_OF, query.party_id, query.code_hash, today)
    return FoundCoupon() if row is None else FoundCoupon(offer=CouponOffer(points=row["points"], pool=row["pool"]))
