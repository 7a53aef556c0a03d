"""Shops and funds are told what they could not know: by the endpoint that they set up themselves, signed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import pytest

from schemas.citizens import LinkCitizen
from schemas.links import UnlinkCitizen
from schemas.offers import DecideOffer
from schemas.values import lane_of
from tests.connectors.checkout.shops import CITIZEN, CITY, FUND, LINK, PAGE, POINTS, SHOP, STAFF, Shop, Street, order
from tests.connectors.checkout.shops import street as open_street_at
from tests.connectors.partner.receivers import SILENT, Receiver, receiving, signed_by, verify_by_key
from tests.waiting import wait_until
from tests.workers.registry.asking import ask, rows_of

WEBHOOK: Final = "/api/partner/webhook"
TEA: Final = "tea-100g"
HELD: Final = "SELECT FROM hub.delivery WHERE receiver = 'partner.webhooks' AND state = 'held'"


@pytest.fixture
async def open_street(database_url: str) -> AsyncIterator[Street]:
    async with open_street_at(database_url, "partner", outage_no_answer_limit=1) as opened:
        yield opened


@pytest.fixture
async def receivers() -> AsyncIterator[dict[str, Receiver]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(receiving()) for name in ("shop", "fund")}


async def set_up(street: Street, receivers: dict[str, Receiver]) -> dict[str, Any]:
    """An endpoint each; what was answered to the shop."""
    answers = {
        name: await street.party(name).done("PUT", WEBHOOK, {"url": receiver.url})
        for name, receiver in receivers.items()
    }
    return dict(answers["shop"])


async def decide(street: Street, revision: int, *, approve: bool, comment: str = "") -> None:
    decision = DecideOffer(
        lg_code=CITY,
        party_id=SHOP,
        offer_id=TEA,
        revision=revision,
        approve=approve,
        comment=comment,
        staff_id=STAFF,
    )
    assert (await ask(street.process, decision)).code is None


async def test_a_shop_is_told_of_links_decisions_and_orders_not_captured_in_time(
    open_street: Street, shop: Shop, receivers: dict[str, Receiver]
) -> None:
    told = await set_up(open_street, receivers)
    at_shop, at_fund = receivers["shop"], receivers["fund"]
    assert (await shop.send("GET", "/api/partner/transfers/t-1"))[0] == 403, "that is for partners"
    members = await shop.done("POST", "/api/partner/link-lookups", {"subjects": ["sub-1"]})
    assert members == {"links": [{"subject": "sub-1", "link_id": None}]}

    tea = {"offer_id": TEA, "title": "茶 100g", "merchant": "茶園", "page_url": f"{PAGE}tea", "lg_codes": [CITY]}
    await shop.done("POST", "/offers", tea | {"revision": 1})
    await decide(open_street, 1, approve=False, comment="産地を書いてください。")
    await shop.done("POST", "/offers", tea | {"title": "茶 100g（市内産）", "revision": 2})
    await decide(open_street, 2, approve=True)
    await wait_until(lambda: len(at_shop.came) == 2)
    about = {"offer_id": TEA, "lg_code": CITY}
    assert [(one["type"], one["data"]) for one in at_shop.told()] == [
        ("offer.sent_back", about | {"revision": 1, "comment": "産地を書いてください。"}),
        ("offer.approved", about | {"revision": 2, "comment": ""}),
    ]

    late = await shop.done("POST", "/authorizations", order("o-1", 300, expires_in_s=60))
    await shop.done("POST", "/authorizations", order("o-2", 200))
    await shop.done("POST", "/authorizations/o-2/void", {})
    await shop.done("POST", "/authorizations", order("o-3", 200, expires_in_s=60))
    await shop.done("POST", "/authorizations/o-3/capture", {})
    open_street.clock.advance(timedelta(seconds=60))
    await open_street.party("fund").done("POST", "/authorizations", order("u-1", POINTS - 200))
    await wait_until(lambda: len(at_shop.came) == 3)
    expired = {"order_id": "o-1", "points": 300, "expires_at": late["expires_at"]}
    assert (at_shop.types()[2], at_shop.told()[2]["data"]) == ("authorization.expired", expired)

    await ask(open_street.process, UnlinkCitizen(citizen_id=CITIZEN, party_id=FUND))
    await ask(open_street.process, LinkCitizen(citizen_id=CITIZEN, party_id=FUND, link_id="member-2"))
    await wait_until(lambda: len(at_fund.came) == 2)
    await open_street.process.drained(deadline_s=10)
    links = [("link.ended", {"link_id": LINK}), ("link.created", {"link_id": "member-2"})]
    assert [(one["type"], one["data"]) for one in at_fund.told()] == links
    assert len(at_shop.came) == 3, "nobody is told of others, nor of what it has asked for itself"
    for headers, body in at_shop.came:
        assert signed_by(headers, body, told["secret"])
        verify_by_key(headers, body, told["public_key"])
    assert not signed_by(*at_fund.came[0], told["secret"])


async def test_a_dead_endpoint_holds_nobody_up_and_is_told_all_in_its_order_when_it_is_back(
    open_street: Street, receivers: dict[str, Receiver], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.partner.outbound.TELL_TIMEOUT_S", 1.0)
    assert lane_of(SHOP) == lane_of(FUND), "they share what is done one after another"
    await set_up(open_street, receivers)
    at_shop, at_fund = receivers["shop"], receivers["fund"]
    at_shop.usual = SILENT
    for _ in range(5):
        await open_street.party("shop").send("POST", "/api/partner/webhook-tests")
    await wait_until(lambda: rows_of(database_url, HELD))
    for _ in range(20):
        await open_street.party("fund").send("POST", "/api/partner/webhook-tests")
    await wait_until(lambda: len(at_fund.came) == 20)
    assert len(set(at_fund.ids())) == 20
    assert len(set(at_shop.ids())) == 1, "one at a time is tried, the others wait"

    at_shop.usual = 204
    await wait_until(lambda: len(set(at_shop.ids())) == 5, deadline_s=60)
    await open_street.process.drained(deadline_s=10)
    events = (await open_street.party("shop").done("GET", "/api/partner/webhook-events"))["items"]
    assert list(dict.fromkeys(at_shop.ids())) == [one["event_id"] for one in reversed(events)]
    assert [one["tries"] for one in events[:4]] == [1] * 4, "those that waited lost no try"
    assert all(one["delivered_at"] for one in events)
