"""Points are used at counters: at a store of the citizen's own municipality."""

from uuid import UUID

from demo.stage import CALL_DEADLINE_S, Stage
from demo.wallets import holders, posting
from demo.world import store_id_of
from schemas.points import PostingStatus, UsePoints
from schemas.values import scheme_pool

PRICE = 300
CUSTOMERS_EACH = 20


async def play(stage: Stage) -> None:
    """Some use part of what they hold; more than that, or elsewhere, is refused and takes nothing."""
    commands: list[UsePoints] = []
    left: list[int] = []
    for scheme in stage.world.schemes:
        pool = scheme_pool(scheme.lg_code)
        held = list((await holders(stage, pool, scheme.lg_code)).items())[:CUSTOMERS_EACH]
        commands.extend(_use(citizen_id, scheme.lg_code, min(PRICE, points)) for citizen_id, points in held)
        left.extend(max(0, points - PRICE) for _, points in held)
    answers = await stage.process.bus.call_many(commands, CALL_DEADLINE_S)
    stage.check("uses posted", {answer.status for answer in answers}, {PostingStatus.posted})
    balances = [answer.balances[command.pool] for answer, command in zip(answers, commands, strict=True)]
    stage.check("balances after the uses", balances, left)
    used = sum(command.points for command in commands)
    await _refusals(stage)
    stage.report["used"] = used
    stage.say(f"{used:,} points used at {len(stage.world.schemes)} stores")


def _use(citizen_id: UUID, lg_code: str, points: int) -> UsePoints:
    return UsePoints(
        **posting(citizen_id, f"use-{lg_code}", 0),
        pool=scheme_pool(lg_code),
        points=points,
        store_id=store_id_of(lg_code),
        lg_code=lg_code,
    )


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
