"""The citizen ends the link: the airline is told, what it gave us is given back, its transfers find nobody."""

from typing import Any

from demo.market import PARTIES
from demo.stage import Stage
from schemas.values import RESERVE


async def play(stage: Stage) -> None:
    """The points that came in before stay."""
    market = stage.market
    companies, link_id, held = market.companies, await market.companies.link_id("airline"), await market.held()
    stage.check("unlinking: tokens before", await companies.held_tokens("airline"), 1)
    done = await market.visitor.does("unlink", party_id=str(PARTIES["airline"]))
    stage.check("unlinking: done", "連携を解除しました。" in done["words"], expected=True)
    told = [(kind, {"link_id": link_id}) for kind in ("link.created", "link.ended")]
    await stage.check_soon("unlinking: the airline is told", lambda: _heard(stage), told)
    await stage.check_soon("unlinking: tokens are given back", lambda: companies.held_tokens("airline"), 0)
    item = {"transfer_id": "story-2", "link_id": link_id, "points": 1, "to": RESERVE}
    batch = {"transfers": [item | {"occurred_at": stage.clock.now().isoformat(timespec="seconds")}]}
    late = (await companies.staff("airline", "POST", "/partner/transfers", batch))["results"][0]
    stage.check("unlinking: a transfer finds nobody", late["code"], "unknown_link")
    stage.check("unlinking: what is held", await market.held(), held)
    stage.say("the link to the airline has ended: it was told, and its token given back")


async def _heard(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    return [(one["type"], one["data"]) for one in await stage.market.companies.ask("airline", "/heard")]
