"""What the sandbox does for whoever tries a program out in it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientConnectionError, ClientSession, DummyCookieJar, web

from connectors.sandbox.faults import OF_WEBHOOKS, ORDERS_LIMIT
from connectors.sandbox.people import PASSWORD
from connectors.sandbox.shapes import FaultKind
from demo.ports import free_port
from tests.connectors.partner.town import HOST
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import log_in
from tests.connectors.sandbox.somebody import Somebody, transfer
from tests.waiting import wait_until

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]  # the sandbox has to start first

PAGE = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
HOME = "scheme:232106"


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=DummyCookieJar()) as opened:
        yield opened


@pytest.fixture
async def airline(session: ClientSession, sandbox_url: str) -> Somebody:
    return await Somebody.new(session, sandbox_url)


def table(heading: str) -> list[tuple[str, str]]:
    """The rows below a heading of the page: what stands in backquotes first, and the second cell."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", section, re.MULTILINE)


async def test_every_refusal_of_the_page_is_refused_so(airline: Somebody) -> None:
    rows = [(code, json.loads(cell.strip("`"))) for code, cell in table("Refusals to order") if cell.startswith("`{")]
    assert len(rows) > 10
    wrong = [transfer(f"t-{number}", **change) for number, (_code, change) in enumerate(rows)]
    answer = await airline.transfers(*wrong)
    assert [one["code"] for one in answer.json["results"]] == [code for code, _change in rows]
    (again,) = (await airline.transfers(transfer("t-3", points=7))).json["results"]
    assert again["code"] == "id_conflict"


async def test_failures_come_when_they_are_ordered_and_only_to_who_ordered_them(
    session: ClientSession, sandbox_url: str, airline: Somebody
) -> None:
    assert {name for name, _what in table("Failures to order") if name != "fault"} == set(FaultKind)
    other = await Somebody.new(session, sandbox_url, name="別の会社")
    faults = [
        {"fault": "too_many", "retry_after_s": 7},
        {"fault": "busy", "times": 2},
        {"fault": "lost"},
        {"fault": "cut"},
        {"fault": "slow", "delay_ms": 100},
    ]
    for fault in faults:
        await airline.sandbox("POST", "/faults", fault)
    assert len((await airline.sandbox("GET", "/faults"))["faults"]) == len(faults)
    assert (await other.transfers(transfer("t-1"))).status == 200, "faults are one's own"

    first = await airline.transfers(transfer("t-1"))
    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert [(await airline.transfers(transfer("t-1"))).status for _ in range(2)] == [503, 503]
    assert (await airline.balances("saburo")) == {}, "nothing was done"
    lost = await airline.transfers(transfer("t-1"))
    assert (lost.status, lost.json["type"]) == (503, "/api/#problem-outcome_unknown")
    with pytest.raises(ClientConnectionError):
        await airline.transfers(transfer("t-1"))
    (slow,) = (await airline.transfers(transfer("t-1"))).json["results"]
    assert (slow["status"], slow["replayed"]) == ("posted", True)
    assert (await airline.balances("saburo")) == {"reserve": 100}, "once"
    assert (await airline.sandbox("GET", "/faults"))["faults"] == []

    seen = (await airline.sandbox("GET", "/requests"))["requests"]
    told = [(one["status"], one.get("fault")) for one in reversed(seen)]
    assert told == [(429, "too_many"), (503, "busy"), (503, "busy"), (503, "lost"), (200, "cut"), (200, "slow")]


async def test_one_request_can_ask_for_its_own_failure(airline: Somebody) -> None:
    async def asked(told: str) -> tuple[int, str | None]:
        answer = await airline.transfers(transfer("t-1"), headers={"Sandbox-Fault": told})
        return answer.status, answer.headers.get("Retry-After")

    assert await asked("busy;retry_after_s=9") == (503, "9")
    assert await asked("too_many") == (429, "1")
    for wrong in ("nothing", "busy;retry_after_s=0", "busy, slow", "webhook_lost", "busy=2", "é", "busy;x=1", "("):
        assert (await asked(wrong))[0] == 400, wrong
    for _ in range(ORDERS_LIMIT):
        await airline.sandbox("POST", "/faults", {"fault": "busy"})
    await airline.sandbox("POST", "/faults", {"fault": "busy"}, status=429)
    await airline.sandbox("DELETE", "/faults", status=204)
    assert (await airline.transfers(transfer("t-1"))).status == 200


async def test_what_came_in_is_explained_and_nothing_private_is_kept(
    session: ClientSession, sandbox_url: str, airline: Somebody
) -> None:
    other = await Somebody.new(session, sandbox_url)
    stranger = str(uuid4())
    elsewhere = await airline.ask("GET", "/api/partner/webhook", signed_for="http://hub.example")
    no_key = await airline.ask("GET", "/api/partner/webhook", key_id="mine")
    unsigned = await airline.ask("GET", "/api/partner/webhook", headers={"Signature-Input": "sig=("})
    await airline.transfers(transfer("t-1", link_id=stranger), headers={"X-Private": stranger})
    await airline.ask("GET", f"/api/partner/settlement?first=2017-10-01&last={stranger}")
    assert [one.status for one in (elsewhere, no_key, unsigned)] == [401, 401, 401]

    async def seen(answer_id: str, who: Somebody = airline, status: int = 200) -> Any:  # noqa: ANN401 - as answered
        return await who.sandbox("GET", f"/requests/{answer_id}", status=status)

    explained = await seen(elsewhere.headers["X-Request-Id"])
    assert explained["signature"]["part"] == "signature"
    base = explained["signature"]["base"].splitlines()
    assert base[:3] == [
        '"@method": GET',
        f'"@authority": {sandbox_url.removeprefix("http://")}',
        f'"@target-uri": {sandbox_url}/api/partner/webhook',
    ]
    await seen(elsewhere.headers["X-Request-Id"], other, status=404)
    nobodys = await seen(no_key.headers["X-Request-Id"], other)
    assert (nobodys["key_id"], nobodys["code"]) == ("mine", "signature")
    assert "No such key is registered" in nobodys["detail"]
    assert (await seen(unsigned.headers["X-Request-Id"]))["signature"] == {"part": "signature-input", "base": None}
    await seen("none", status=404)

    kept = await airline.sandbox("GET", "/requests")
    paths = [(one["path"], one["status"]) for one in kept["requests"]]
    assert paths == [
        ("/api/partner/settlement", 400),
        ("/api/partner/transfers", 200),
        ("/api/partner/webhook", 401),
    ]
    for private in (stranger, airline.told["token"], airline.key["private_key"]):
        assert private not in json.dumps(kept)
    assert (await other.sandbox("GET", "/requests"))["requests"] == []
    for token in ("", "Bearer", "Bearer mks_none", "Basic x"):
        async with session.get(f"{sandbox_url}/api/sandbox/requests", headers={"Authorization": token}) as response:
            assert response.status == 401, token


async def test_a_webhook_that_was_lost_comes_later_and_news_of_people_comes_by_it(airline: Somebody) -> None:
    came: list[str] = []

    async def take(request: web.Request) -> web.Response:
        told = await request.json()
        came.append(f"{told['type']} {told['data']['link_id']}")
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.post("/", take)])
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        await airline.ask("PUT", "/api/partner/webhook", {"url": f"http://{HOST}:{port}/"})
        await airline.sandbox("POST", "/faults", {"fault": "webhook_lost"})
        await airline.sandbox("DELETE", "/links/hanako", status=204)
        await wait_until(lambda: came == ["link.ended hanako"])
        assert (await airline.sandbox("GET", "/faults"))["faults"] == []
        await airline.sandbox("POST", "/citizens", {"link_id": "shiro"})
        await airline.sandbox("POST", "/citizens", {"link_id": "shiro"}, status=400)
        await wait_until(lambda: len(came) == 2)
        assert came[1] == "link.created shiro"
    finally:
        await runner.cleanup()
    await airline.sandbox("DELETE", "/links/nobody", status=404)
    (gone, new) = (await airline.transfers(transfer("t-1", link_id="hanako"), transfer("t-2", link_id="shiro"))).json[
        "results"
    ]
    assert (gone["code"], new["status"]) == ("unknown_link", "posted")
    assert set(OF_WEBHOOKS) == {FaultKind.webhook_lost, FaultKind.webhook_doubled}


async def test_time_goes_on_for_holds_and_for_points(session: ClientSession, sandbox_url: str) -> None:
    shop = await Somebody.new(session, sandbox_url, kind="shop")
    offer = {"offer_id": "o", "revision": 1, "title": "品", "merchant": "店", "page_url": "https://party.example/o"}
    await shop.ask("POST", "/api/checkout/offers", {**offer, "lg_codes": ["232106"]})
    back = {"offer_id": "o", "lg_code": "232106", "approve": False}
    assert (await shop.sandbox("POST", "/offer-decisions", back))["refusal"]["code"] == "comment_missing"
    assert (await shop.sandbox("POST", "/offer-decisions", {"offer_id": "x", "lg_code": "232106"}))["refusal"]
    assert await shop.sandbox("POST", "/offer-decisions", {"offer_id": "o", "lg_code": "232106"}) == {}
    order = {"order_id": "o-1", "link_id": "taro", "points": 300, "pool": HOME, "item_ids": ["o"]}
    held = await shop.ask("POST", "/api/checkout/authorizations", order)
    assert held.json["state"] == "authorized"
    assert await shop.balances("taro") == {HOME: 4_700}

    before = await shop.sandbox("GET", "/clock")
    after = await shop.sandbox("POST", "/clock", {"days": 1})
    assert after["ahead_s"] - before["ahead_s"] == pytest.approx(86_400, abs=60)
    assert (await shop.ask("GET", "/api/checkout/authorizations/o-1")).json["state"] == "released"
    assert await shop.balances("taro") == {HOME: 5_000}
    assert 800 in (await shop.balances("jiro")).values()
    await shop.sandbox("POST", "/clock", {"days": 31})
    assert await shop.balances("jiro") == {}, "the event is over"
    for wrong in ({"days": 0}, {}, {"to": before["now"]}, {"to": "2100-01-01T00:00:00Z"}, {"days": 1, "to": "x"}):
        await shop.sandbox("POST", "/clock", wrong, status=400)


async def test_keys_of_both_kinds_are_changed(session: ClientSession, sandbox_url: str) -> None:
    fund = await Somebody.new(session, sandbox_url, kind="fund", algorithm="hmac-sha256")
    assert (await fund.ask("GET", "/api/checkout/referrals")).status == 200
    assert (await fund.ask("GET", "/api/partner/transfers/t-1")).status == 403, "a fund is no partner"
    ended, fund.key = fund.key, await fund.sandbox("POST", "/keys", {})
    assert (await fund.ask("GET", "/api/checkout/referrals")).status == 200
    unused = await fund.sandbox("POST", "/keys", {})
    await fund.sandbox("DELETE", f"/keys/{unused['key_id']}", status=204)
    fund.key = unused
    assert (await fund.ask("GET", "/api/checkout/referrals")).status == 401
    other = await Somebody.new(session, sandbox_url)
    await other.sandbox("DELETE", f"/keys/{ended['key_id']}", status=404)


async def test_its_people_log_in_on_my_page(session: ClientSession, sandbox_url: str, airline: Somebody) -> None:
    taro = airline.told["citizens"][0]
    page = await log_in(Browser(session, sandbox_url), taro["mykey_id"], password=taro["password"])
    assert taro["password"] == PASSWORD
    assert "5,000" in page.words
