"""A citizen links at the airline, moves its points to the city, pays at a shop, invests at a fund, and unlinks.

Then the card company's coupons, one typed, one by its signed link. Airline, card company, shop and fund are a process
of their own, on the interfaces of docs/partners.md and docs/checkout.md only. Every number is in the books at the end.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.audit import VerifyLedger
from schemas.id_links import CALLBACK, MembershipCheck, OpenIdProvider, SetUpLinkage
from schemas.links import Linkage, PresentParty
from schemas.offers import DecideOffer
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.points import BalanceOf
from schemas.settlement import PlaceLine, PlaceSummaryOf
from schemas.values import LANES, RESERVE
from tests.children import ended
from tests.connectors.checkout.shops import AIRLINE, CITY, FUND, NOW, POOL, SHOP, STAFF, Street, street
from tests.peers.citizen.walks import Citizen, browsing
from tests.running import running
from tests.waiting import wait_until
from tests.workers.registry.asking import ask
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import PASSWORD, created

LIMIT_S: Final = 30.0
BUYER: Final = "BUYER001"
CARD: Final = UUID(int=0xCA)
MEMBER: Final = "member:secret:customer-000000007"
WORKERS: Final = ("registry", "ledger", "goods", "checkout", "partner")
PARTIES: Final = {"airline": AIRLINE, "card": CARD, "shop": SHOP, "fund": FUND}


class Market:
    """What is asked of the companies' sites."""

    def __init__(self, session: ClientSession, sites: Mapping[str, Mapping[str, str]]) -> None:
        self._session = session
        self.sites = sites

    async def ask(self, name: str, place: str, body: object = None, url: str = "") -> Any:  # noqa: ANN401 - whatever is answered
        """POST with a body, else GET."""
        method = "GET" if body is None else "POST"
        async with self._session.request(method, f"{url or self.sites[name]['site']}{place}", json=body) as answer:
            return await answer.json()

    async def staff(self, name: str, method: str, place: str, body: object = None) -> Any:  # noqa: ANN401 - whatever is answered
        """What the hub answers its staff."""
        return await self.ask(name, "/staff", {"method": method, "place": place, "body": body})

    async def link_id(self, name: str) -> str | None:
        """Under which the member is linked."""
        found = await self.staff(name, "POST", "/partner/link-lookups", {"subjects": [MEMBER.rpartition(":")[2]]})
        link_id: str | None = found["links"][0]["link_id"]
        return link_id

    async def transfer(self, transfer_id: str, link_id: str | None, points: int) -> Any:  # noqa: ANN401 - whatever is answered
        """The airline moves points in; what became of it."""
        item = {"transfer_id": transfer_id, "link_id": link_id, "points": points, "to": RESERVE}
        batch = {"transfers": [item | {"occurred_at": NOW.isoformat()}]}
        return (await self.staff("airline", "POST", "/partner/transfers", batch))["results"][0]


async def test_from_the_airline_to_the_shop_and_the_fund(database_url: str, tmp_path: Path) -> None:
    issuer = authorities(tmp_path, 1)[0]
    async with (
        street(database_url, "portal", "partner", card_anchors=tmp_path) as opened,
        running(database_url, *WORKERS, clock=opened.clock),
        market(opened, tmp_path) as companies,
        browsing() as session,
    ):
        buyer = await created(opened.process, issuer.card(1), BUYER, base_lg_code=CITY)
        citizen = Citizen(session, opened.url)
        assert (await citizen.log_in(BUYER, PASSWORD)).path == "/my"

        async def held() -> tuple[int, int]:
            """Reserve points, and the city's."""
            found = (await ask(opened.process, BalanceOf(citizen_id=buyer))).by_pool
            return found.get(RESERVE, 0), found.get(POOL, 0)

        await companies.ask("airline", "/listen", {})
        link_id = await _linked(citizen, companies, "airline", AIRLINE)
        assert (await companies.transfer("t-1", link_id, 2_000))["status"] == "posted"
        assert "ポイントの移行が完了しました。" in (await citizen.move(CITY, 1_500)).words
        assert await held() == (500, 1_500)

        await _paid(citizen, companies)
        assert await held() == (500, 1_150)
        fund_link = await _linked(citizen, companies, "fund", FUND)
        await _invested(companies, fund_link)
        assert await held() == (500, 650)

        assert "連携を解除しました。" in (await citizen.unlink(str(FUND))).words
        assert "404" in (await companies.ask("fund", f"/balance?link_id={fund_link}"))["refused"]
        assert "連携を解除しました。" in (await citizen.unlink(str(AIRLINE))).words
        await _airline_is_told(companies, link_id)
        assert (await companies.transfer("t-2", link_id, 1))["code"] == "unknown_link"

        await _coupons(citizen, companies)
        assert await held() == (1_000, 1_450)
        await _settled(opened, companies)


async def _linked(citizen: Citizen, companies: Market, name: str, party_id: UUID) -> str | None:
    login, secret, _subject = MEMBER.split(":")
    assert await companies.link_id(name) is None
    done = await citizen.link(str(party_id), login, secret, PASSWORD)
    assert "ID連携が完了しました。" in done.words, done
    link_id = await companies.link_id(name)
    assert link_id is not None
    return link_id


async def _paid(citizen: Citizen, companies: Market) -> None:
    order = {"order_id": "o-1", "title": "りんご 10kg", "at_most": 800, "item_ids": ["apples"], "price": 600}
    url = (await companies.ask("shop", "/buy", order))["url"]
    bought = await citizen.pay(url, POOL, 700)
    assert (bought["state"], bought["points"], bought["captured"]) == ("captured", 700, 600)
    refund = {"order_id": "o-1", "refund_id": "r-1", "points": 250}
    assert [(await companies.ask("shop", "/refund", refund))["refunded"] for _ in range(2)] == [250, 250]


async def _invested(companies: Market, link_id: str | None) -> None:
    told = await companies.ask("fund", f"/balance?link_id={link_id}")
    assert told["pools"] == [{"pool": POOL, "points": 1_150}], "reserve points pay for nothing there"
    units = {"order_id": "u-1", "link_id": link_id, "points": 500, "pool": POOL, "item_ids": ["brewery"]}
    assert (await companies.ask("fund", "/pay", units))["captured"] == 500
    over = await companies.ask("fund", "/pay", units | {"order_id": "u-2", "points": 651})
    assert over["refusal"]["code"] == "insufficient_points"


async def _airline_is_told(companies: Market, link_id: str | None) -> None:
    async def is_told() -> bool:
        heard = await companies.ask("airline", "/heard")
        told = [(one["type"], one["data"]) for one in heard]
        return told == [("link.created", {"link_id": link_id}), ("link.ended", {"link_id": link_id})]

    async def is_given_back() -> bool:
        issuer = companies.sites["airline"]["issuer"]
        return bool((await companies.ask("airline", "/held", url=issuer))["tokens"] == 0)

    await wait_until(is_told, LIMIT_S)
    await wait_until(is_given_back, LIMIT_S)


async def _coupons(citizen: Citizen, companies: Market) -> None:
    until = int((NOW + timedelta(hours=1)).timestamp())
    made = [
        {"code": "CARD-2017-7K2M", "points": 500, "to": RESERVE},
        {"code": "CARD-2017-9Q4T", "points": 800, "to": POOL},
    ]
    taken = await companies.staff("card", "POST", "/partner/coupons", {"coupons": made})
    assert taken["results"] == ["registered"] * 2
    assert "500ポイント" in (await citizen.coupon(str(CARD), "ｃａｒｄ 2017 7k2m")).words
    query = (await companies.ask("card", "/coupon-link", {"code": "CARD-2017-9Q4T", "points": 800, "until": until}))[
        "query"
    ]
    forged = await citizen.coupon_link(query | {"points": 900})
    assert "エラー" in forged.words, "only the partner is filled in, so there is no code"
    assert "800ポイント" in (await citizen.coupon_link(query)).words
    assert "このクーポン番号は利用できません" in (await citizen.coupon_link(query)).words


async def _settled(opened: Street, companies: Market) -> None:
    """Both sides, and the books."""
    day = opened.clock.business_date()
    period = f"/partner/settlement?first={day}&last={day}"
    owed = [(await companies.staff(name, "GET", period))["points"] for name in ("airline", "card")]
    assert owed == [2_000 + 1_000, 1_300], "the airline's with what the street itself had from it"
    places = await ask(opened.process, PlaceSummaryOf(lg_code=CITY, first=day, last=day))
    assert sorted(places.places, key=lambda one: one.place_id) == [
        PlaceLine(place_id=SHOP, transactions=1, used=600, returns=1, returned=250, points=350),
        PlaceLine(place_id=FUND, transactions=1, used=500, returns=0, returned=0, points=500),
    ]
    faults = [(await ask(opened.process, VerifyLedger(partition=partition))).fault for partition in range(LANES)]
    assert faults == [None] * LANES


@asynccontextmanager
async def market(opened: Street, folder: Path) -> AsyncIterator[Market]:
    """The companies' process; each is registered with its key, its site, and the way its members are proven."""
    keys = {**opened.keys, "card": await _card_company(opened)}
    for name, key in keys.items():
        (folder / f"{name}.key").write_bytes(key)
    asked: list[dict[str, object]] = [
        {"name": name, "party_id": str(party_id), "key_file": str(folder / f"{name}.key"), "key_id": name}
        | {"members": [MEMBER]}
        for name, party_id in PARTIES.items()
    ]
    asked[0]["redirect_uri"] = f"{opened.url}{CALLBACK}{AIRLINE}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.peers.market", stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"url": opened.url, "companies": asked}).encode() + b"\n")
        sites = json.loads(await asyncio.wait_for(process.stdout.readline(), LIMIT_S))
        async with ClientSession() as session:
            companies = Market(session, sites)
            await _presented(opened, companies)
            yield companies
    finally:
        process.stdin.close()
        await ended(process, LIMIT_S)


async def _card_company(opened: Street) -> bytes:
    private = Ed25519PrivateKey.generate()
    public, algorithm = private.public_key().public_bytes_raw(), KeyAlgorithm.ed25519
    await ask(opened.process, RegisterParty(party_id=CARD, kind=PartyKind.partner, name="カード会社"))
    await ask(opened.process, RegisterPartyKey(party_id=CARD, key_id="card", algorithm=algorithm, key_bytes=public))
    return private.private_bytes_raw()


async def _presented(opened: Street, companies: Market) -> None:
    for name, party_id in PARTIES.items():
        linkage = Linkage.coupon if name == "card" else Linkage.id_link
        page = PresentParty(party_id=party_id, linkage=linkage, page_url=f"{companies.sites[name]['site']}/")
        assert (await ask(opened.process, page)).code is None
    provider = OpenIdProvider(issuer=companies.sites["airline"]["issuer"], client_id="mykey-hub")
    await ask(opened.process, SetUpLinkage(party_id=AIRLINE, provider=provider))
    check = MembershipCheck(login_url=f"{companies.sites['fund']['site']}/linking")
    await ask(opened.process, SetUpLinkage(party_id=FUND, membership=check))
    for name, party_id, offer_id in (("shop", SHOP, "apples"), ("fund", FUND, "brewery")):
        offer = {"offer_id": offer_id, "title": offer_id, "merchant": "商店", "lg_codes": [CITY], "revision": 1}
        posted = await companies.ask(
            name, "/offer", offer | {"page_url": f"{companies.sites[name]['site']}/{offer_id}"}
        )
        assert posted["asked"] == [CITY], posted
        decision = DecideOffer(
            lg_code=CITY, party_id=party_id, offer_id=offer_id, revision=1, approve=True, staff_id=STAFF
        )
        assert (await ask(opened.process, decision)).code is None
