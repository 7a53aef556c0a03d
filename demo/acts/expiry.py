"""A year and a month go by: points whose last day has passed expire, after a reminder; others stay."""

from collections import Counter
from datetime import date, timedelta

from demo.stage import CALL_DEADLINE_S, Stage
from hub.clock import expiry_after_months
from schemas.points import DueKind, DueLotsOf, HeldByPool
from schemas.values import LANES, scheme_pool

MONTHS = 12


async def play(stage: Stage) -> None:
    """What the lots said before is gone afterwards, and nothing else; schemes without expiry lose nothing."""
    last_day = expiry_after_months(stage.clock.business_date(), MONTHS)
    due = await _due(stage, last_day)
    before = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    await stage.live_until(last_day - timedelta(days=stage.process.settings.expiry_notice_days - 1))
    await stage.live_until(last_day + timedelta(days=1))
    after = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    left = {pool: points - due[pool] for pool, points in before.items() if points > due[pool]}
    stage.check("expired", after, left)
    forever = {scheme_pool(scheme.lg_code) for scheme in stage.world.schemes if scheme.expiry_rule == "none"}
    kept = {pool: points for pool, points in before.items() if pool in forever}
    stage.check("never expires", {pool: after.get(pool) for pool in kept}, kept)
    expired = sum(before.values()) - sum(after.values())
    stage.report["expired"] = expired
    stage.say(f"{expired:,} points expired in {len(before) - len(after)} schemes")


async def _due(stage: Stage, last: date) -> Counter[str]:
    """Points by pool whose last day comes until then."""
    due: Counter[str] = Counter()
    for partition in range(LANES):
        query = DueLotsOf(partition=partition, kind=DueKind.expire, first=stage.clock.business_date(), last=last)
        while True:
            page = await stage.process.bus.call(query, CALL_DEADLINE_S)
            for lot in page.lots:
                due[lot.pool] += lot.points
            if page.after is None:
                break
            query = query.model_copy(update={"after": page.after, "day": page.day})
    return due
