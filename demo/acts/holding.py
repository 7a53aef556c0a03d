"""Time passes the holding period: first the reminders, then the rest goes to the base municipalities by itself."""

from collections import Counter
from datetime import timedelta

from demo.stage import CALL_DEADLINE_S, Stage
from demo.wallets import holders
from schemas.points import HeldByPool
from schemas.values import RESERVE, scheme_pool


async def play(stage: Stage) -> None:
    """What was held in reserve is afterwards in each citizen's base municipality, point by point."""
    settings = stage.process.settings
    today = stage.clock.business_date()
    held = await holders(stage, RESERVE)
    before = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    await stage.live_until(today + timedelta(days=settings.holding_period_days - settings.holding_notice_days))
    stage.check("held until the last day", await holders(stage, RESERVE), held)
    await stage.live_until(today + timedelta(days=settings.holding_period_days + 1))
    after = (await stage.process.bus.call(HeldByPool(), CALL_DEADLINE_S)).totals
    expected = Counter({pool: points for pool, points in before.items() if pool != RESERVE})
    for citizen in stage.world.citizens:
        expected[scheme_pool(citizen.base_lg_code)] += held.get(citizen.citizen_id, 0)
    stage.check("swept to the base municipalities", after, {pool: n for pool, n in expected.items() if n})
    stage.say(f"{len(held):,} citizens' reserve points went to their base municipalities")
