"""A shop sends a citizen to our page; points are chosen and confirmed; a signed address leads back."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature

from connectors.checkout.store import Order, OrderStore
from hub.process import HubProcess
from schemas.points import UsePoints
from schemas.shop_orders import ConfirmCheckout
from tests.connectors.checkout.buyers import BUYER, Buyer, checkout, opened, verified, way_back
from tests.connectors.checkout.shops import CITY, PAGE, POINTS, POOL, SHOP, points_in
from tests.connectors.portal.town import log_in
from tests.workers.registry.asking import ask


async def test_points_are_chosen_and_confirmed_once_and_the_shop_goes_on(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    sent_to_log_in = await browser.get(path)
    assert sent_to_log_in.path == "/login"
    page = await log_in(browser, BUYER)
    assert page.path == path
    assert "米5kg" in page.words
    second = await browser.submit(await browser.get(path), path, pool=POOL, points="100")
    confirm = await browser.submit(page, path, pool=POOL, points="３００")
    assert "700ポイント" in confirm.words
    done = await browser.submit(confirm, "/my/checkout/confirm")
    assert "ポイントの利用を受け付けました。" in done.words
    again = await browser.submit(confirm, "/my/checkout/confirm")
    assert again.path == done.path

    address = way_back(done)
    told = await verified(shop, address)
    assert (told["cart"], told["mykey_order_id"]) == ("7", "o-1")
    assert (told["mykey_outcome"], told["mykey_points"]) == ("authorized", "300")
    with pytest.raises(InvalidSignature):
        await verified(shop, address.replace("mykey_points=300", "mykey_points=400"))
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "authorized"
    captured = await shop.done("POST", "/authorizations/o-1/capture", {"points": 250})
    assert (captured["captured"], await buyer.balance()) == (250, POINTS - 250)

    refused = await browser.submit(second, "/my/checkout/confirm")
    assert refused.status == 409
    assert "この注文ではすでにポイントの利用を受け付けています。" in refused.words
    assert await buyer.balance() == POINTS - 250


async def test_no_more_than_the_shop_asks_and_a_way_back_without(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    await log_in(browser, BUYER)
    page = await browser.get(path)
    told = await verified(shop, way_back(page))
    assert (told["mykey_outcome"], told["mykey_points"]) == ("cancelled", "0")
    much = await browser.submit(page, path, pool=POOL, points="401")
    assert much.status == 422
    assert "400ポイント以下" in much.words
    nothing = await browser.submit(page, path, pool="reserve", points="1")
    assert nothing.status == 422
    buyer.street.clock.advance(timedelta(hours=1))
    late = await browser.get(path)
    if late.path == "/login":
        late = await log_in(browser, BUYER)
    assert late.status == 404
    assert await buyer.balance() == POINTS
    assert (await shop.send("GET", "/authorizations/o-1"))[0] == 404


async def test_who_was_refused_may_choose_again(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    path = await opened(shop)
    await log_in(browser, BUYER)
    confirm = await browser.submit(await browser.get(path), path, pool=POOL, points="400")
    await ask(buyer.street.process, used(buyer.citizen_id, POINTS - 300))
    refused = await browser.submit(confirm, "/my/checkout/confirm")
    assert refused.status == 409
    assert "ポイントが足りません" in refused.words
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "refused"
    less = await browser.submit(await browser.get(path), path, pool=POOL, points="300")
    done = await browser.submit(less, "/my/checkout/confirm")
    assert (await verified(shop, way_back(done)))["mykey_points"] == "300"
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "authorized"


async def test_a_refusal_that_comes_late_says_nothing_of_the_choice_after_it(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse, late = OrderStore.refuse, []

    async def kept(store: OrderStore, party_id: UUID, order: Order, code: str) -> None:
        late.append(partial(refuse, store, party_id, order, code))
        await late[0]()

    monkeypatch.setattr(OrderStore, "refuse", kept)
    shop, process = buyer.street.party(), buyer.street.process
    checkout_id = UUID((await opened(shop)).partition("id=")[2])
    much = ConfirmCheckout(checkout_id=checkout_id, citizen_id=buyer.citizen_id, pool=POOL, points=400)
    await ask(process, used(buyer.citizen_id, POINTS - 300))
    assert (await ask(process, much)).code == "insufficient_points"
    assert (await ask(process, much.model_copy(update={"points": 300}))).points == 300
    await late[0]()
    assert (await shop.done("GET", "/authorizations/o-1"))["state"] == "authorized"
    assert await day_use(process, buyer.citizen_id) == 300
    assert (await shop.done("POST", "/authorizations/o-1/void", {}))["state"] == "released"


async def test_what_was_refused_can_be_confirmed_within_the_hour_only(buyer: Buyer) -> None:
    shop, process = buyer.street.party(), buyer.street.process
    done, refused = [UUID((await opened(shop, name)).partition("id=")[2]) for name in ("o-1", "o-2")]
    right = ConfirmCheckout(checkout_id=done, citizen_id=buyer.citizen_id, pool=POOL, points=300)
    assert (await ask(process, right)).points == 300
    much = ConfirmCheckout(checkout_id=refused, citizen_id=buyer.citizen_id, pool=POOL, points=400)
    await ask(process, used(buyer.citizen_id, POINTS - 300))
    assert (await ask(process, much)).code == "insufficient_points"
    await ask(process, points_in(buyer.citizen_id, "more"))
    buyer.street.clock.advance(timedelta(hours=1))
    assert (await ask(process, much)).code == "no_checkout"
    assert (await ask(process, right)).points == 300, "what was done is told again"


async def test_what_was_confirmed_is_told_again_though_the_offer_has_changed(buyer: Buyer) -> None:
    shop, process = buyer.street.party(), buyer.street.process
    one, two = [UUID((await opened(shop, name)).partition("id=")[2]) for name in ("o-1", "o-2")]
    confirm = ConfirmCheckout(checkout_id=one, citizen_id=buyer.citizen_id, pool=POOL, points=300)
    done = await ask(process, confirm)
    assert (done.code, done.points) == (None, 300)
    changed = {
        "offer_id": "rice-5kg",
        "title": "米 4kg",
        "merchant": "商店",
        "page_url": f"{PAGE}rice",
        "lg_codes": [CITY],
    }
    assert (await shop.done("POST", "/offers", changed | {"revision": 2}))["asked"] == [CITY]
    again = await ask(process, confirm)
    assert again.return_url.partition("?")[0] == done.return_url.partition("?")[0]
    # The way back is signed anew each time, with the time.
    assert again.model_copy(update={"return_url": done.return_url}) == done
    other = confirm.model_copy(update={"points": 200})
    assert (await ask(process, other)).code == "not_approved"
    assert (await ask(process, other.model_copy(update={"checkout_id": two}))).code == "not_approved"
    captured = await shop.done("POST", "/authorizations/o-1/capture", {})
    assert captured["captured"] == 300


async def day_use(process: HubProcess, citizen_id: UUID) -> int:
    asked = "SELECT sum(points) AS points FROM checkout.day_use WHERE citizen_id = $1"
    async with process.database_of("checkout").reading() as reading:
        row = await reading.fetch_row(asked, citizen_id)
    return 0 if row is None else int(row["points"])


async def test_nothing_is_offered_for_what_is_not_approved(buyer: Buyer) -> None:
    shop, browser = buyer.street.party(), buyer.browser
    url = (await shop.done("POST", "/checkouts", checkout("o-1") | {"item_ids": ["tea"]}))["url"]
    await log_in(browser, BUYER)
    page = await browser.get(url.removeprefix(shop.url))
    assert "この注文に利用できるポイントがありません。" in page.words


def used(citizen_id: UUID, points: int) -> UsePoints:
    """Spent at a counter meanwhile."""
    return UsePoints(
        party_id=SHOP,
        command_id="counter",
        request_hash=bytes(16),
        citizen_id=citizen_id,
        pool=POOL,
        points=points,
        store_id=UUID(int=0xB1),
        lg_code=CITY,
    )


async def test_a_checkout_is_opened_once(buyer: Buyer) -> None:
    shop = buyer.street.party()
    first = await shop.done("POST", "/checkouts", checkout("o-1"))
    assert await shop.done("POST", "/checkouts", checkout("o-1")) == first
    assert (await shop.send("POST", "/checkouts", checkout("o-1", 401)))[0] == 422
