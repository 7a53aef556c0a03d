"""Settlement: the partner asks through its API, every municipality on its side; both are the same points."""

from collections import Counter
from datetime import date

from demo.peers import run_to_end
from demo.stage import CALL_DEADLINE_S, Stage
from schemas.settlement import MunicipalSummaryOf, Summary

ASK_TIMEOUT_S = 60.0
IN = ("credit", "move", "sweep")


async def play(stage: Stage) -> None:
    """What the airline moved in is what the municipalities are owed, once no reserve points are left."""
    first, last = stage.world.opening().date(), stage.clock.business_date()
    partner = await _partner_summary(stage, first, last)
    stage.check("the partner's total", partner["points"], stage.expected.points)
    stage.check("the partner's transfers", partner["transfers"], stage.expected.posted)
    totals: Counter[str] = Counter()
    for scheme in stage.world.schemes:
        query = MunicipalSummaryOf(lg_code=scheme.lg_code, first=first, last=last)
        summary = await stage.process.bus.call(query, CALL_DEADLINE_S)
        totals.update(_points_by_kind(summary))
    stage.check("the municipalities' side", sum(totals[kind] for kind in IN), stage.expected.points)
    stage.check("used, as the municipalities owe it to their stores", totals["use"], stage.report["used"])
    stage.check("expired", totals["expire"], stage.report["expired"])
    stage.report["settlement"] = {"partner_points": partner["points"], "municipal": dict(sorted(totals.items()))}
    stage.say(f"the airline owes {partner['points']:,} yen; the stores are owed {totals['use']:,} yen")


async def _partner_summary(stage: Stage, first: date, last: date) -> dict[str, int]:
    arguments = ["--url", stage.other_url, "--key-file", str(stage.key.path), "--key-id", stage.key.key_id]
    arguments += ["--first", first.isoformat(), "--last", last.isoformat()]
    answer: dict[str, int] = (await run_to_end("tests.peers.airline.settlement", arguments, ASK_TIMEOUT_S))[0]
    return answer


def _points_by_kind(summary: Summary) -> Counter[str]:
    points: Counter[str] = Counter()
    for line in summary.lines:
        points[line.kind] += line.points
    return points
