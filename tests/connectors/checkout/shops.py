"""A shop and a fund at the door, and a citizen with points who is linked to both."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from demo.ports import free_port
from hub.clock import AdjustableClock
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from hub.web.signatures import sign_request
from schemas.citizens import LinkCitizen, MailChoices, RegisterCitizen
from schemas.links import Linkage, PresentParty
from schemas.municipalities import RegisterScheme
from schemas.offers import ApplyForParty, DealMode, DecideOffer, Offer, PostOffer
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.points import BalanceOf, CreditPoints
from schemas.values import scheme_pool
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask

NOW: Final = datetime(2017, 10, 2, 3, tzinfo=UTC)
CITY: Final = "232343"
POOL: Final = scheme_pool(CITY)
AIRLINE: Final = UUID(int=0xA1)
SHOP: Final = UUID(int=0x51)
FUND: Final = UUID(int=0xF1)
CITIZEN: Final = UUID(int=1)
LINK: Final = "member-1"
OFFICE: Final = "points@city.example"
STAFF: Final = UUID(int=0x57)
PAGE: Final = "https://shop.example/"
POINTS: Final = 1_000
NAMES: Final = {"airline": "航空会社", "shop": "名物ショップ", "fund": "出資の窓口"}
PARTIES: Final = {
    "airline": (AIRLINE, PartyKind.partner),
    "shop": (SHOP, PartyKind.shop),
    "fund": (FUND, PartyKind.fund),
}


@dataclass(frozen=True)
class Shop:
    """Somebody who signs with a key at the shops' door, or at what is theirs of the partners' (`/api/partner/…`)."""

    session: ClientSession
    url: str
    key_id: str
    secret: bytes

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON."""
        sent = None if body is None else json.dumps(body).encode()
        url = f"{self.url}{path if path.startswith('/api/') else f'/api/checkout{path}'}"
        signed = sign_request(
            method=method,
            url=url,
            key_id=self.key_id,
            algorithm=KeyAlgorithm.ed25519,
            secret=self.secret,
            created=datetime.now(UTC),
            body=sent,
        )
        headers = signed | ({} if sent is None else {"Content-Type": "application/json"})
        async with self.session.request(method, url, data=sent, headers=headers) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None

    async def done(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever was answered
        """The JSON of what succeeds."""
        status, answer = await self.send(method, path, body)
        assert status == 200, answer
        return answer


@dataclass(frozen=True)
class Street:
    """A hub behind its door."""

    process: HubProcess
    url: str
    session: ClientSession
    keys: Mapping[str, bytes]
    clock: AdjustableClock

    def party(self, name: str = "shop") -> Shop:
        """Who has the key of this name."""
        return Shop(self.session, self.url, name, self.keys[name])

    async def balance(self) -> int:
        """What the citizen can use of the city's points."""
        return await self.balance_of(CITIZEN)

    async def balance_of(self, citizen_id: UUID) -> int:
        """The same of another one."""
        return (await ask(self.process, BalanceOf(citizen_id=citizen_id))).by_pool.get(POOL, 0)


def order(order_id: str, points: object = 300, **other: object) -> dict[str, object]:
    """A body that is right, unless it is changed."""
    return {"order_id": order_id, "link_id": LINK, "points": points, "pool": POOL, "item_ids": ["rice-5kg"]} | other


@asynccontextmanager
async def street(database_url: str, *further: str, **settings: object) -> AsyncIterator[Street]:
    """The street, open."""
    clock = AdjustableClock(NOW)
    given = {"database_url": database_url, "http_port": free_port(), "secret_key": SECRET_KEY}
    made = Settings.model_validate(given | settings)
    components = installed(["registry", "ledger", "goods", "checkout", *further])
    async with serving(made, clock, components, database_url) as served, ClientSession() as session:
        assert served.url is not None
        keys = await _settle(served.process)
        yield Street(served.process, served.url, session, keys, clock)


async def _settle(process: HubProcess) -> dict[str, bytes]:
    await ask(process, RegisterScheme(lg_code=CITY, point_name="市ポイント", expiry_rule="none"))
    keys: dict[str, bytes] = {}
    for name, (party_id, kind) in PARTIES.items():
        private = Ed25519PrivateKey.generate()
        keys[name] = private.private_bytes_raw()
        public = private.public_key().public_bytes_raw()
        await ask(process, RegisterParty(party_id=party_id, kind=kind, name=NAMES[name]))
        await ask(
            process,
            RegisterPartyKey(party_id=party_id, key_id=name, algorithm=KeyAlgorithm.ed25519, key_bytes=public),
        )
    await ask(process, _citizen())
    for party_id in (SHOP, FUND):
        page = PresentParty(party_id=party_id, linkage=Linkage.id_link, page_url=PAGE)
        await ask(process, page)
        await ask(process, LinkCitizen(citizen_id=CITIZEN, party_id=party_id, link_id=LINK))
    await process.drained(deadline_s=10)
    for party_id in (SHOP, FUND):
        await ask(process, ApplyForParty(lg_code=CITY, party_id=party_id, mode=DealMode.direct, mail=OFFICE))
        await approved(process, party_id, "rice-5kg")
    await ask(process, points_in(CITIZEN, "in"))
    await process.drained(deadline_s=10)  # what was decided is told before anybody listens
    return keys


async def approved(process: HubProcess, party_id: UUID, offer_id: str) -> None:
    """The shop posts it, the city approves it."""
    offer = Offer(offer_id=offer_id, title="米 5kg", merchant="商店", page_url=f"{PAGE}{offer_id}")
    posted = await ask(process, PostOffer(party_id=party_id, offer=offer, lg_codes=(CITY,)))
    assert posted.asked == [CITY], posted
    decision = DecideOffer(
        lg_code=CITY,
        party_id=party_id,
        offer_id=offer_id,
        revision=posted.revision,
        approve=True,
        staff_id=STAFF,
    )
    assert (await ask(process, decision)).code is None


def _citizen() -> RegisterCitizen:
    return RegisterCitizen(
        citizen_id=CITIZEN,
        mykey_id="CITIZEN1",
        name="氏名 一",
        mail="citizen@mail.example",
        base_lg_code=CITY,
        choices=MailChoices(),
    )


def points_in(citizen_id: UUID, command_id: str, pool: str = POOL) -> CreditPoints:
    """The airline moves points in, the city's unless others are named."""
    return CreditPoints(
        party_id=AIRLINE,
        command_id=command_id,
        request_hash=bytes(16),
        citizen_id=citizen_id,
        pool=pool,
        points=POINTS,
    )
