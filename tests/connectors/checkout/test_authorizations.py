"""A shop's server sets points aside, captures, voids and refunds; each order once, by its own id."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from connectors.checkout.left_orders import LeftOrders
from connectors.checkout.orders import HASH_BYTES, Orders
from connectors.checkout.shapes import AuthorizationRequest
from connectors.checkout.store import LEFT_AFTER, OrderStore, Wanted
from hub.errors import TransientError
from hub.process import HubProcess
from schemas.checkouts import AuthorisePoints
from schemas.links import UnlinkCitizen
from schemas.message import Answered, Message
from schemas.municipalities import RegisterScheme, RegisterSupportEvent
from schemas.offers import Offer, PostOffer
from schemas.points import RecordRefusal
from schemas.values import RESERVE, event_pool
from tests.connectors.checkout.conftest import DAY_LIMIT
from tests.connectors.checkout.shops import (
    CITIZEN,
    CITY,
    FUND,
    LINK,
    NOW,
    PAGE,
    POINTS,
    POOL,
    SHOP,
    Shop,
    Street,
    order,
    points_in,
)
from tests.workers.registry.asking import ask


async def test_part_is_captured_and_part_of_it_refunded(open_street: Street, shop: Shop) -> None:
    made = await shop.done("POST", "/authorizations", order("o-1", 300))
    assert (made["state"], made["points"], made["captured"]) == ("authorized", 300, 0)
    assert "refusal" not in made
    assert await open_street.balance() == POINTS - 300

    taken = await shop.done("POST", "/authorizations/o-1/capture", {"points": 200})
    assert (taken["state"], taken["captured"], taken["refunded"]) == ("captured", 200, 0)
    assert await open_street.balance() == POINTS - 200

    back = await shop.done("POST", "/authorizations/o-1/refunds", {"refund_id": "r-1", "points": 50})
    assert (back["captured"], back["refunded"]) == (200, 50)
    assert await open_street.balance() == POINTS - 150
    too_much = await shop.done("POST", "/authorizations/o-1/refunds", {"refund_id": "r-2", "points": 151})
    assert too_much["refusal"]["code"] == "refund_limit"
    assert (await shop.done("GET", "/authorizations/o-1")) == back


async def test_the_same_again_is_the_same_and_another_one_a_conflict(open_street: Street, shop: Shop) -> None:
    first = await shop.done("POST", "/authorizations", order("o-1"))
    again = await asyncio.gather(*(shop.done("POST", "/authorizations", order("o-1")) for _ in range(5)))
    assert again == [first] * 5
    assert (await shop.send("POST", "/authorizations", order("o-1", 301)))[0] == 422
    await shop.done("POST", "/authorizations/o-1/capture", {"points": 200})
    twice = await shop.done("POST", "/authorizations/o-1/capture", {"points": 200})
    assert twice["captured"] == 200
    assert (await shop.send("POST", "/authorizations/o-1/capture", {"points": 100}))[0] == 422
    assert await open_street.balance() == POINTS - 200


async def test_too_much_is_refused_and_the_right_amount_is_captured_after_it(open_street: Street, shop: Shop) -> None:
    await shop.done("POST", "/authorizations", order("o-1", 300))
    much = await shop.done("POST", "/authorizations/o-1/capture", {"points": 301})
    assert (much["state"], much["captured"], much["refusal"]["code"]) == ("authorized", 0, "insufficient_points")
    assert (await shop.done("POST", "/authorizations/o-1/capture", {"points": 300}))["captured"] == 300
    assert await open_street.balance() == POINTS - 300


@pytest.mark.parametrize("first", ["void", "capture"])
@pytest.mark.parametrize("is_asked_again", [True, False])
async def test_an_order_whose_authorization_was_cut_off_can_be_ended(
    open_street: Street, shop: Shop, monkeypatch: pytest.MonkeyPatch, *, first: str, is_asked_again: bool
) -> None:
    body = order("2.o-1", 300)
    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _without_authorizations(HubProcess.call))
        assert (await shop.send("POST", "/authorizations", body))[0] == 503
        assert (await shop.send("POST", f"/authorizations/2.o-1/{first}", {}))[0] == 503
    if is_asked_again:
        assert (await shop.done("POST", "/authorizations", body))["state"] == "authorized"
        assert await open_street.balance() == POINTS - 300
    ended = await shop.done("POST", f"/authorizations/2.o-1/{first}", {})
    assert (ended["state"], ended.get("refusal")) == ({"void": "released", "capture": "captured"}[first], None)
    assert await open_street.balance() == POINTS - ended["captured"]
    assert await shop.done("POST", f"/authorizations/2.o-1/{first}", {}) == ended
    assert (await shop.done("POST", "/authorizations", body))["state"] == ended["state"]

    await shop.done("POST", "/authorizations", order("o-1", 100))
    assert (await shop.done("POST", "/authorizations/o-1/capture", {}))["captured"] == 100, "an id of its own"


async def test_an_order_that_can_be_set_aside_no_more_is_refused_at_its_void(
    open_street: Street, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _without_authorizations(HubProcess.call))
        assert (await shop.send("POST", "/authorizations", order("o-1", DAY_LIMIT)))[0] == 503
    open_street.clock.advance(timedelta(hours=1))
    late = await shop.done("POST", "/authorizations/o-1/void", {})
    assert (late["state"], late["refusal"]["code"]) == ("refused", "hold_expired")
    assert (await shop.done("POST", "/authorizations", order("o-2", DAY_LIMIT)))["state"] == "authorized"


@pytest.mark.parametrize("is_late", [True, False])
async def test_an_order_that_was_cut_off_is_refused_once_its_time_is_over(
    open_street: Street, shop: Shop, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _without_authorizations(HubProcess.call))
        assert (await shop.send("POST", "/authorizations", order("o-1", DAY_LIMIT)))[0] == 503
    assert (await shop.send("GET", "/authorizations/o-1"))[0] == 503
    late = _authorise(open_street)
    if is_late:
        assert (await ask(open_street.process, late)).code is None, "it was under way"
    open_street.clock.advance(timedelta(hours=1))
    ended = await shop.done("GET", "/authorizations/o-1")
    if is_late:
        assert (ended["state"], ended["captured"]) == ("released", 0)
    else:
        assert (ended["state"], ended["refusal"]["code"]) == ("refused", "hold_expired")
        soon = late.model_copy(update={"expires_at": open_street.clock.now() + timedelta(hours=1)})
        assert (await ask(open_street.process, soon)).code == "hold_expired", "it comes too late, whatever it says"
        assert (await shop.done("POST", "/authorizations", order("o-2", DAY_LIMIT)))["state"] == "authorized"
    assert await shop.done("GET", "/authorizations/o-1") == ended
    assert await shop.done("POST", "/authorizations", order("o-1", DAY_LIMIT)) == ended


async def test_an_order_that_was_cut_off_and_left_gives_its_day_back(
    open_street: Street, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.done("POST", "/authorizations", order("captured", 100))
    await shop.done("POST", "/authorizations/captured/capture", {})
    await shop.done("POST", "/authorizations", order("open", 100, expires_in_s=86_400))
    await open_street.process.drained(deadline_s=10)
    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _without_authorizations(HubProcess.call))
        for name in ("o-1", "o-2"):
            assert (await shop.send("POST", "/authorizations", order(name, 200)))[0] == 503
    await ask(open_street.process, _authorise(open_street, "o-2", 200))
    orders = Orders(open_street.process.bus, _store(open_street), open_street.clock)
    open_street.clock.advance(timedelta(hours=1))
    with monkeypatch.context() as cut:
        cut.setattr(HubProcess, "call", _without_refusals(HubProcess.call))
        await LeftOrders(orders)()
        assert await orders.store.left() == [], "each in its turn"
    open_street.clock.advance(LEFT_AFTER)
    left = await orders.store.left()
    assert sorted(one.order_id for _, one in left) == ["o-1", "o-2"], "the end of the others is known, or far"
    open_street.clock.advance(LEFT_AFTER)
    await LeftOrders(orders)()
    open_street.clock.advance(LEFT_AFTER)
    assert await orders.store.left() == []
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "refused"
    assert (await shop.done("GET", "/authorizations/o-2"))["state"] == "released"
    assert (await shop.done("GET", "/authorizations/captured"))["captured"] == 100
    await open_street.process.drained(deadline_s=10)
    assert (await shop.done("POST", "/authorizations", order("o-3", DAY_LIMIT - 200 + 1)))["state"] == "refused"
    assert (await shop.done("POST", "/authorizations", order("o-4", DAY_LIMIT - 200)))["state"] == "authorized"


def _store(street: Street) -> OrderStore:
    return OrderStore(street.process.database_of("checkout"), DAY_LIMIT)


def _authorise(street: Street, order_id: str = "o-1", points: int = DAY_LIMIT) -> AuthorisePoints:
    """What the door says for an order."""
    body = AuthorizationRequest.model_validate(order(order_id, points))
    wanted = Wanted(SHOP, order_id, bytes(16), CITIZEN, POOL, points, NOW)
    return AuthorisePoints(
        party_id=SHOP,
        command_id=f"a.{order_id}",
        request_hash=sha256(body.model_dump_json().encode()).digest()[:HASH_BYTES],
        citizen_id=CITIZEN,
        hold_id=wanted.hold_id,
        merchant_id=SHOP,
        pool=POOL,
        points=points,
        expires_at=street.clock.now() + timedelta(seconds=body.expires_in_s),
    )


def _without_refusals(call: Callable[[HubProcess, Answered[Any], float], Awaitable[Any]]) -> object:
    """The ledger hears of no refusal."""
    return _without(RecordRefusal, call)


def _without_authorizations(call: Callable[[HubProcess, Answered[Any], float], Awaitable[Any]]) -> object:
    """The ledger hears of no authorization."""
    return _without(AuthorisePoints, call)


def _without(kind: type[Message], call: Callable[[HubProcess, Answered[Any], float], Awaitable[Any]]) -> object:
    async def cut_off(process: HubProcess, asked: Answered[Any], deadline_s: float) -> object:
        if isinstance(asked, kind):
            raise TransientError("cut off")
        return await call(process, asked, deadline_s)

    return cut_off


async def test_what_is_voided_or_not_captured_in_time_is_free_again(open_street: Street, shop: Shop) -> None:
    await shop.done("POST", "/authorizations", order("o-1"))
    assert (await shop.done("POST", "/authorizations/o-1/void", {}))["state"] == "released"
    late = await shop.done("POST", "/authorizations/o-1/capture", {})
    assert late["refusal"]["code"] == "hold_resolved"
    await shop.done("POST", "/authorizations", order("o-2", 200, expires_in_s=60))
    open_street.clock.advance(timedelta(seconds=60))
    assert await open_street.balance() == POINTS
    assert (await shop.done("GET", "/authorizations/o-2"))["state"] == "released"
    expired = await shop.done("POST", "/authorizations/o-2/capture", {})
    assert (expired["state"], expired["refusal"]["code"]) == ("released", "hold_expired")


async def test_a_day_at_one_shop_has_a_limit_that_what_came_to_nothing_does_not_weigh_on(
    open_street: Street, shop: Shop
) -> None:
    await shop.done("POST", "/authorizations", order("o-1", DAY_LIMIT))
    over = await shop.done("POST", "/authorizations", order("o-2", 1))
    assert (over["state"], over["refusal"]["code"]) == ("refused", "over_day_limit")
    at_the_fund = await open_street.party("fund").done("POST", "/authorizations", order("o-1", 100))
    assert at_the_fund["state"] == "authorized"
    await shop.done("POST", "/authorizations/o-1/capture", {"points": DAY_LIMIT - 100})
    await open_street.process.drained(deadline_s=10)
    assert (await shop.done("POST", "/authorizations", order("o-2", 1)))["state"] == "refused"
    assert (await shop.done("POST", "/authorizations", order("o-3", 101)))["state"] == "refused"
    assert (await shop.done("POST", "/authorizations", order("o-4", 100)))["state"] == "authorized"
    await shop.done("POST", "/authorizations/o-4/void", {})
    await open_street.process.drained(deadline_s=10)
    assert (await shop.done("POST", "/authorizations", order("o-5", 100)))["state"] == "authorized"


async def test_what_the_ledger_refuses_weighs_on_no_day(open_street: Street, shop: Shop) -> None:
    fund = open_street.party("fund")
    await shop.done("POST", "/authorizations", order("o-1", DAY_LIMIT))
    poor = await fund.done("POST", "/authorizations", order("o-1", DAY_LIMIT - 100))
    assert (poor["state"], poor["refusal"]["code"]) == ("refused", "insufficient_points")
    assert await fund.done("POST", "/authorizations", order("o-1", DAY_LIMIT - 100)) == poor
    assert await fund.done("GET", "/authorizations/o-1") == poor
    left = POINTS - DAY_LIMIT
    assert (await fund.done("POST", "/authorizations", order("o-2", left)))["state"] == "authorized"


async def test_only_a_linked_citizen_and_only_one_s_own_orders(open_street: Street, shop: Shop) -> None:
    unknown = await shop.done("POST", "/authorizations", order("o-1", link_id="somebody"))
    assert (unknown["state"], unknown["refusal"]["code"]) == ("refused", "unknown_link")
    await shop.done("POST", "/authorizations", order("o-2"))
    fund, airline = open_street.party("fund"), open_street.party("airline")
    assert (await fund.send("GET", "/authorizations/o-2"))[0] == 404
    assert (await fund.send("POST", "/authorizations/o-2/capture", {}))[0] == 404
    assert (await airline.send("GET", "/authorizations/o-2"))[0] == 401
    assert (await shop.send("GET", "/authorizations/%20"))[0] == 404


async def test_a_balance_is_told_of_what_pays_there_to_whom_the_citizen_is_linked(
    open_street: Street, shop: Shop
) -> None:
    process, fund = open_street.process, open_street.party("fund")
    mine, other = UUID(int=0xE1), UUID(int=0xE2)
    for event_id, lg_code in ((mine, CITY), (other, "402117")):
        event = RegisterSupportEvent(
            event_id=event_id, lg_code=lg_code, point_name="催し", first=NOW.date(), last=NOW.date()
        )
        await ask(process, event)
    await ask(process, RegisterScheme(lg_code="402117", point_name="隣市ポイント", expiry_rule="none"))
    await process.drained(deadline_s=30)
    for pool in (event_pool(mine), event_pool(other), "scheme:402117", RESERVE):
        assert (await ask(process, points_in(CITIZEN, pool, pool))).code is None
    usable = [{"pool": event_pool(mine), "points": POINTS}, {"pool": POOL, "points": POINTS}]
    assert await shop.done("GET", f"/balance?link_id={LINK}") == {"link_id": LINK, "pools": usable}
    changed = Offer(offer_id="rice-5kg", title="米 10kg", merchant="商店", page_url=PAGE)
    await ask(process, PostOffer(party_id=SHOP, offer=changed, lg_codes=()))
    assert (await shop.done("GET", f"/balance?link_id={LINK}"))["pools"] == [], "nothing is approved any more"
    assert (await fund.done("GET", f"/balance?link_id={LINK}"))["pools"] == usable

    assert (await shop.send("GET", "/balance?link_id=somebody"))[0] == 404
    assert (await open_street.party("airline").send("GET", f"/balance?link_id={LINK}"))[0] == 401
    await ask(process, UnlinkCitizen(citizen_id=CITIZEN, party_id=FUND))
    assert (await fund.send("GET", f"/balance?link_id={LINK}"))[0] == 404


async def test_bodies_are_taken_to_the_letter(shop: Shop) -> None:
    wrong: list[dict[str, object]] = [
        order("o-1", points=True),
        order("o-1", 0),
        order("o-1", 1.5),
        order("x" * 61),
        order("o-1", pool="reserve"),
        order("o-1", item_ids=[]),
        order("o-1", expires_in_s=59),
        order("o-1", more=1),
    ]
    for body in wrong:
        assert (await shop.send("POST", "/authorizations", body))[0] == 400, body
    assert (await shop.send("GET", "/authorizations/o-1"))[0] == 404
