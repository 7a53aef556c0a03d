"""A year and a month go by: points of schemes whose rule is twelve months expire, after a reminder; others stay."""

from datetime import timedelta

from demo.stage import CALL_DEADLINE_S, Stage
from hub.clock import expiry_after_months
from schemas.points import HeldByPool
from schemas.values import scheme_pool

MONTHS = 12


async def play(stage: Stage) -> None:
    """Everything of those schemes is gone, nothing of the others."""
    last_day = expiry_after_months(stage.clock.business_date(), MONTHS)
    short = {scheme_pool(s.lg_code) for s in stage.world.schemes if s.expiry_rule == f"months:{MONTHS}"}
    before = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    await stage.live_until(last_day - timedelta(days=stage.process.settings.expiry_notice_days - 1))
    await stage.live_until(last_day + timedelta(days=1))
    after = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    stage.check("expired", after, {pool: points for pool, points in before.items() if pool not in short})
    expired = sum(before.values()) - sum(after.values())
    stage.report["expired"] = expired
    stage.say(f"{expired:,} points expired in {len(short)} schemes")
