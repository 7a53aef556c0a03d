"""Citizens move reserve points to a municipality of their choice, before they would move by themselves."""

from demo.stage import CALL_DEADLINE_S, Stage
from demo.wallets import holders, posting
from schemas.points import MovePoints, PostingStatus
from schemas.values import RESERVE, scheme_pool

MOVERS = 300


async def play(stage: Stage) -> None:
    """Half of what they hold; asking twice under the same id moves once; more than they hold is refused."""
    held = await holders(stage, RESERVE)
    movers = list(held.items())[:MOVERS]
    lasting = [scheme for scheme in stage.world.schemes if not scheme.expiry_rule.startswith("date:")]
    schemes = lasting or stage.world.schemes
    commands = [
        MovePoints(
            **posting(citizen_id, "move", number),
            pool=scheme_pool(schemes[number % len(schemes)].lg_code),
            points=(points + 1) // 2,
        )
        for number, (citizen_id, points) in enumerate(movers)
    ]
    answers = await stage.process.bus.call_many(commands, CALL_DEADLINE_S)
    stage.check("moves posted", sum(answer.status is PostingStatus.posted for answer in answers), len(movers))
    again = await stage.process.bus.call_many(commands[:10], CALL_DEADLINE_S)
    stage.check("moves asked twice", [answer.replayed for answer in again], [True] * len(again))
    citizen_id, points = movers[0]
    too_much = MovePoints(**posting(citizen_id, "greedy", 0), pool=commands[0].pool, points=points)
    refused = await stage.process.bus.call(too_much, CALL_DEADLINE_S)
    stage.check("more than is held", refused.code, "insufficient_points")
    after = await holders(stage, RESERVE)
    moved = sum(command.points for command in commands)
    stage.check("reserve points after the moves", sum(after.values()), sum(held.values()) - moved)
    stage.say(f"{len(movers)} citizens moved {moved:,} points")
