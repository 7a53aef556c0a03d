"""Points pay part of an order at a shop, some of them come back, and others go into a fund (mission I.7, I.8)."""

from typing import Final
from uuid import UUID

from demo.market import PARTIES, Market
from demo.stage import CALL_DEADLINE_S, Stage
from schemas.offers import ApplyForParty, DealMode, DecideOffer

STAFF: Final = UUID(int=0x57)
OFFERS: Final = {"shop": "apples", "fund": "brewery"}
AT_MOST: Final = 800
CHOSEN: Final = 700
PRICE: Final = 600
REFUNDED: Final = 250
INVESTED: Final = 500
ASKED: Final = "ポイントで利用できる商品等の承認依頼"


async def play(stage: Stage) -> None:
    """At the shop by the hub's page; at the fund with the linked account, after its balance was shown there."""
    market = stage.market
    reserve, home = await market.held()
    before = await market.settled(stage.clock.business_date())
    for name, offer_id in OFFERS.items():
        await _approved(stage, market, name, offer_id)
    await _at_the_shop(stage, market)
    home += REFUNDED - PRICE
    stage.check("paying: what is held", await market.held(), (reserve, home))
    await _at_the_fund(stage, market, home)
    stage.check("investing: what is held", await market.held(), (reserve, home - INVESTED))
    await stage.drained()
    settled = await market.settled(stage.clock.business_date())
    owed = {
        ("shop", "capture"): PRICE,
        ("shop", "refund"): REFUNDED,
        ("shop", "to be paid"): PRICE - REFUNDED,
        ("fund", "capture"): INVESTED,
        ("fund", "to be paid"): INVESTED,
    }
    stage.check("paying: as it is settled", dict(settled - before), owed)
    subjects = (await stage.mailbox.stats())["by_subject"]
    asked = sum(count for subject, count in subjects.items() if str(subject).startswith(ASKED))
    stage.check("paying: mails to the office", asked, len(OFFERS))
    stage.report["paid"] = {"captured": PRICE, "refunded": REFUNDED, "invested": INVESTED}
    stage.say(f"{PRICE} points paid at a shop, {REFUNDED} came back, {INVESTED} went into a fund")


async def _approved(stage: Stage, market: Market, name: str, offer_id: str) -> None:
    """The municipality applies, the company posts, the office approves."""
    party_id, bus, lg_code = PARTIES[name], stage.process.bus, market.lg_code
    apply = ApplyForParty(lg_code=lg_code, party_id=party_id, mode=DealMode.direct, mail="points@city.example")
    await bus.call(apply, CALL_DEADLINE_S)
    offer = {"offer_id": offer_id, "revision": 1, "title": offer_id, "merchant": "生産者", "lg_codes": [lg_code]}
    page = {"page_url": f"{market.companies.site(name)}/{offer_id}"}
    posted = await market.companies.staff(name, "POST", "/checkout/offers", offer | page)
    stage.check(f"{name}: who is asked", posted["asked"], [lg_code])
    decision = DecideOffer(
        lg_code=lg_code, party_id=party_id, offer_id=offer_id, revision=1, approve=True, staff_id=STAFF
    )
    stage.check(f"{name}: approved", (await bus.call(decision, CALL_DEADLINE_S)).code, None)


async def _at_the_shop(stage: Stage, market: Market) -> None:
    order = {"order_id": "o-1", "title": "りんご 10kg", "at_most": AT_MOST, "item_ids": [OFFERS["shop"]]}
    url = (await market.companies.ask("shop", "/buy", order | {"price": PRICE}))["url"]
    bought = await market.visitor.does("pay", url=url, pool=market.pool, points=CHOSEN)
    found = (bought["state"], bought["points"], bought["captured"])
    stage.check("paying: part of it is captured", found, ("captured", CHOSEN, PRICE))
    refund = {"order_id": "o-1", "refund_id": "r-1", "points": REFUNDED}
    returned = [(await market.companies.ask("shop", "/refund", refund))["refunded"] for _ in range(2)]
    stage.check("paying: asked twice, refunded once", returned, [REFUNDED] * 2)


async def _at_the_fund(stage: Stage, market: Market, home: int) -> None:
    _, link_id = await market.link("fund")
    shown = await market.companies.ask("fund", f"/balance?link_id={link_id}")
    stage.check("investing: the balance shown", shown["pools"], [{"pool": market.pool, "points": home}])
    units = {"link_id": link_id, "pool": market.pool, "item_ids": [OFFERS["fund"]]}
    over = await market.companies.ask("fund", "/pay", units | {"order_id": "u-1", "points": home + 1})
    stage.check("investing: more than there is", over["refusal"]["code"], "insufficient_points")
    paid = await market.companies.ask("fund", "/pay", units | {"order_id": "u-2", "points": INVESTED})
    stage.check("investing: taken", paid["captured"], INVESTED)
