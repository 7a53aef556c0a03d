"""Coupons that partners register; using one is an operation (`decide/coupon`)."""

from collections.abc import Mapping, Sequence
from datetime import date

from hub.transaction import Reading, Transaction
from schemas.grants import (
    Coupon,
    CouponOf,
    CouponOffer,
    CouponReport,
    CouponReportLine,
    CouponReportOf,
    CouponsRegistered,
    CouponState,
    CouponsVoided,
    CouponTaking,
    FoundCoupon,
    RegisterCoupons,
    VoidCoupons,
)
from workers.ledger import state_statements


async def register_coupons(commands: Sequence[RegisterCoupons], tx: Transaction) -> list[CouponsRegistered]:
    """Keep what is new; a code hash that is there already stays as it is, used or not."""
    answers: list[CouponsRegistered] = []
    for command in commands:
        coupons = command.coupons
        hashes = [coupon.code_hash for coupon in coupons]
        rows = await tx.fetch(
            state_statements.REGISTER_COUPONS,
            command.party_id,
            hashes,
            [coupon.points for coupon in coupons],
            [coupon.pool for coupon in coupons],
            [coupon.last for coupon in coupons],
            [coupon.online for coupon in coupons],
        )
        kept = await tx.fetch(state_statements.KNOWN_COUPONS, command.party_id, hashes)
        known = {row["code_hash"]: (row["points"], row["pool"], row["last"]) for row in kept}
        new = {row["code_hash"] for row in rows}
        answers.append(CouponsRegistered(registered=len(new), takings=_takings(coupons, known, new)))
    return answers


def _takings(
    coupons: Sequence[Coupon], known: Mapping[bytes, tuple[int, str, date]], new: set[bytes]
) -> tuple[CouponTaking, ...]:
    """Of several with one code in a batch, one is registered and the others are measured by it."""
    takings: list[CouponTaking] = []
    for coupon in coupons:
        if known[coupon.code_hash] != (coupon.points, coupon.pool, coupon.last):
            takings.append(CouponTaking.id_conflict)
        elif coupon.code_hash in new:
            new.remove(coupon.code_hash)
            takings.append(CouponTaking.registered)
        else:
            takings.append(CouponTaking.unchanged)
    return tuple(takings)


async def void_coupons(commands: Sequence[VoidCoupons], tx: Transaction) -> list[CouponsVoided]:
    """From the commit on they are as good as none; what was used is not touched."""
    answers: list[CouponsVoided] = []
    for command in commands:
        hashes = list(command.code_hashes)
        await tx.execute(state_statements.VOID_COUPONS, command.party_id, hashes, tx.business_date)
        rows = await tx.fetch(state_statements.KNOWN_COUPONS, command.party_id, hashes)
        known = {row["code_hash"]: CouponState.used if row["used"] else CouponState.voided for row in rows}
        answers.append(CouponsVoided(states=tuple(known.get(one, CouponState.unknown) for one in hashes)))
    return answers


async def coupon_report_of(query: CouponReportOf, reading: Reading) -> CouponReport:
    """One scan of the partner's coupons."""
    today = reading.clock.business_date()
    rows = await reading.fetch(state_statements.COUPON_REPORT, query.party_id, query.first, query.last, today)
    return CouponReport(lines=tuple(CouponReportLine(**dict(row)) for row in rows))


async def coupon_of(query: CouponOf, reading: Reading) -> FoundCoupon:
    """Unknown, used and expired are answered alike, as `decide.coupon` does."""
    today = reading.clock.business_date()
    row = await reading.fetch_row(state_statements.COUPON_OF, query.party_id, query.code_hash, today)
    return FoundCoupon() if row is None else FoundCoupon(offer=CouponOffer(**dict(row)))
