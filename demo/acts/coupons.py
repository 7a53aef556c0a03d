"""A card company's coupons (画面20, 21): one is typed on My Page, one comes filled in by the company's signed link."""

from datetime import timedelta
from typing import Final

from demo.market import PARTIES
from demo.stage import Stage
from schemas.values import RESERVE

TYPED: Final = ("CARD-2017-7K2M", 500)
BY_LINK: Final = ("CARD-2017-9Q4T", 800)
GOOD_FOR: Final = timedelta(hours=1)
MOVED_IN: Final = "ポイントの移行が完了しました。"
NOT_USABLE: Final = "このクーポン番号は利用できません"


async def play(stage: Stage) -> None:
    """Each is used once; a link that somebody has changed fills in nothing but whose it says it is."""
    market, day = stage.market, stage.clock.business_date()
    (reserve, home), before = await market.held(), await market.settled(day)
    made = [
        {"code": code, "points": points, "to": to} for (code, points), to in ((TYPED, RESERVE), (BY_LINK, market.pool))
    ]
    taken = await market.companies.staff("card", "POST", "/partner/coupons", {"coupons": made})
    stage.check("coupons: taken in", taken["results"], ["registered"] * len(made))
    typed = await market.visitor.does("coupon", partner=str(PARTIES["card"]), code=TYPED[0].lower())
    stage.check("coupons: typed", MOVED_IN in typed["words"], expected=True)
    stage.check("coupons: what is held", await market.held(), (reserve + TYPED[1], home))

    until = int((stage.clock.now() + GOOD_FOR).timestamp())
    link = {"code": BY_LINK[0], "points": BY_LINK[1], "until": until}
    query = (await market.companies.ask("card", "/coupon-link", link))["query"]
    changed = await market.visitor.does("coupon_link", query=query | {"points": BY_LINK[1] + 1})
    stage.check("coupons: by a link that was changed", changed["status"], 422)
    followed = await market.visitor.does("coupon_link", query=query)
    stage.check("coupons: by the link", MOVED_IN in followed["words"], expected=True)
    again = await market.visitor.does("coupon_link", query=query)
    stage.check("coupons: a second time", NOT_USABLE in again["words"], expected=True)
    stage.check("coupons: what is held then", await market.held(), (reserve + TYPED[1], home + BY_LINK[1]))

    points = TYPED[1] + BY_LINK[1]
    owed = {("card", "came in"): points, ("card", "coupon"): BY_LINK[1]}
    stage.check("coupons: as it is settled", dict(await market.settled(day) - before), owed)
    report = await market.companies.staff("card", "GET", f"/partner/coupon-report?first={day}&last={day}")
    used = sum(line["used_points"] for line in report["lines"])
    stage.check("coupons: as the company counts them", used, points)
    stage.report["coupons"] = points
    stage.say(f"two coupons of a card company brought {points:,} points")
