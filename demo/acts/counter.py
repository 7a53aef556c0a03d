"""Points are used at counters: at a store of the citizen's own municipality."""

from demo.stage import CALL_DEADLINE_S, Stage
from demo.wallets import holders, posting
from demo.world import store_id_of
from schemas.points import PostingStatus, UsePoints
from schemas.values import scheme_pool

PRICE = 300
CUSTOMERS_EACH = 20


async def play(stage: Stage) -> None:
    """Some use part of what they hold; more than that, or elsewhere, is refused and takes nothing."""
    bus, used = stage.process.bus, 0
    for scheme in stage.world.schemes:
        pool = scheme_pool(scheme.lg_code)
        held = list((await holders(stage, pool, scheme.lg_code)).items())[:CUSTOMERS_EACH]
        commands = [
            UsePoints(
                **posting(citizen_id, f"use-{scheme.lg_code}", 0),
                pool=pool,
                points=min(PRICE, points),
                store_id=store_id_of(scheme.lg_code),
                lg_code=scheme.lg_code,
            )
            for citizen_id, points in held
        ]
        answers = await bus.call_many(commands, CALL_DEADLINE_S)
        posted = all(answer.status is PostingStatus.posted for answer in answers)
        right = [answer.balances[pool] for answer in answers] == [
            points - command.points for (_, points), command in zip(held, commands, strict=True)
        ]
        stage.check(f"used in {scheme.lg_code}", posted and right, expected=True)
        used += sum(command.points for command in commands)
    await _refusals(stage)
    stage.report["used"] = used
    stage.say(f"{used:,} points used at {len(stage.world.schemes)} stores")


async def _refusals(stage: Stage) -> None:
    here, elsewhere = stage.world.schemes[0].lg_code, stage.world.schemes[1].lg_code
    pool = scheme_pool(here)
    citizen_id, points = next(iter((await holders(stage, pool, here)).items()))
    for name, lg_code, price, code in (
        ("too-much", here, points + 1, "insufficient_points"),
        ("elsewhere", elsewhere, 1, "not_usable_here"),
    ):
        command = UsePoints(
            **posting(citizen_id, name, 0), pool=pool, points=price, store_id=store_id_of(lg_code), lg_code=lg_code
        )
        stage.check(f"refused: {name}", (await stage.process.bus.call(command, CALL_DEADLINE_S)).code, code)
    stage.check("a refusal takes nothing", (await holders(stage, pool, here))[citizen_id], points)
