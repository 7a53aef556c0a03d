"""One process with every API of the outside; two partners, a shop and a fund, two streets, two terminals."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import count
from typing import Any, Final
from uuid import UUID, uuid4

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from demo.ports import free_port
from hub.clock import AdjustableClock
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from hub.web.addresses import FORWARDED_FOR
from hub.web.app import PUBLIC, Route
from hub.web.signatures import sign_request
from schemas.citizens import LinkCitizen, MailChoices, RegisterCitizen
from schemas.grants import GrantPoints
from schemas.id_links import MembershipCheck, SetUpLinkage
from schemas.links import Linkage, PresentParty
from schemas.message import Answered
from schemas.municipalities import RegisterScheme
from schemas.offers import ApplyForParty, DealMode, ReferBusiness
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.service_ids import Issuer, IssuerKind, RegisterIssuer, RegisterServiceId
from schemas.streets import RegisterMergeKey, RegisterStreet, RegisterStreetSigner, StartMerge, Street
from schemas.terminals import PlanRow, TerminalKind
from schemas.values import scheme_pool
from tests.connectors.street.vectors import key_of
from tests.connectors.terminal.agents import Terminal, enrolled
from tests.connectors.terminal.counters import ticket_of
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask

COMPONENTS: Final = ("registry", "ledger", "goods", "partner", "checkout", "street", "terminal")
DOORS: Final = ("partner", "checkout", "street", "counter", "enrolment")
JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json"}
CITY: Final = "232343"
POOL: Final = scheme_pool(CITY)
CITIZEN: Final = UUID(int=1)
LINK: Final = "member-1"
REFERRAL: Final = UUID(int=0x2EF)
MAIL: Final = "office@city.example"
PARTIES: Final = {
    "airline": (UUID(int=0xA1), PartyKind.partner),
    "card": (UUID(int=0xA2), PartyKind.partner),
    "shop": (UUID(int=0x51), PartyKind.shop),
    "fund": (UUID(int=0xF1), PartyKind.fund),
}
STREETS: Final = {"honmachi": (UUID(int=0x5E1), "000777"), "ekimae": (UUID(int=0x5E2), "000778")}
CALLERS: Final[Mapping[str, tuple[str, str]]] = {
    "partner": ("airline", "card"),
    "checkout": ("fund", "shop"),
    "street": ("honmachi", "ekimae"),
    "counter": ("first", "second"),
}
"""Door → who comes in by it: the one whose things they are, and another one of the same rights."""
ROWS: Final = tuple(
    PlanRow(kind=TerminalKind.service_id, place=code, issuer_id=issuer_id, count=1)
    for code, (_, issuer_id) in STREETS.items()
)


@dataclass(frozen=True)
class Told:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was answered
        """The body."""
        return json.loads(self.text)

    @property
    def essence(self) -> tuple[int, str]:
        """What is the same for the same question, whenever it is asked."""
        told = self.json if self.text else {}
        for name in ("instance", "request_id", "trace_id"):
            told.pop(name, None)
        return self.status, json.dumps(told, sort_keys=True)


@dataclass(frozen=True)
class Doors:
    """All of it, and the keys and tokens by which callers are known."""

    process: HubProcess
    url: str
    session: ClientSession
    keys: Mapping[str, bytes]
    terminals: Sequence[Terminal]
    tokens: dict[str, str] = field(default_factory=dict)
    merge_number: str = ""
    addresses: "count[int]" = field(default_factory=lambda: count(0x0A000001))
    """From where each request comes, by a proxy of ours: what is counted by address is nobody's limit here."""

    @property
    def routes(self) -> list[Route]:
        """Of these doors."""
        found = [route for component in self.process.components for route in component.routes]
        return [route for route in found if route.audience.name in DOORS and route.audience.documented]

    def credentials(
        self,
        caller: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        created: datetime | None = None,
    ) -> dict[str, str]:
        """What this caller proves itself with: a token, or a signature made now."""
        if caller in self.tokens:
            return {"Authorization": f"Bearer {self.tokens[caller]}"}
        return sign_request(
            method=method,
            url=self.url + path,
            key_id=caller,
            algorithm=KeyAlgorithm.ed25519,
            secret=self.keys[caller],
            created=created or datetime.now(UTC),
            body=body,
            headers=headers,
        )

    async def ask(
        self,
        caller: str | None,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = JSON,
    ) -> Told:
        """One request; `headers` beside those that the caller proves itself with."""
        sent = headers if body is not None else {}
        proven = {} if caller is None else self.credentials(caller, method, path, body, sent)
        return await self.send(method, path, body, {**sent, **proven})

    async def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Told:
        """The same, as it is; aiohttp adds no kind of body of its own."""
        url = URL(self.url + path, encoded=True)
        headers = {FORWARDED_FOR: str(IPv4Address(next(self.addresses))), **headers}
        without = ("Content-Type",) if "Content-Type" not in headers else ()
        async with self.session.request(
            method, url, data=body, headers=headers, skip_auto_headers=without, allow_redirects=False
        ) as answer:
            return Told(answer.status, answer.headers.copy(), await answer.text())

    def caller(self, route: Route) -> str | None:
        """Who owns the things that this route is about; None where anybody may ask."""
        return None if route.permission == PUBLIC else CALLERS[route.audience.name][0]

    async def open_counters(self) -> None:
        """A browser at each of the two terminals."""
        for name, terminal in zip(CALLERS["counter"], self.terminals, strict=True):
            body = json.dumps({"ticket": ticket_of(terminal)}).encode()
            told = await self.ask(None, "POST", "/api/counter/sessions", body)
            assert told.status == 201, told
            self.tokens[name] = told.json["token"]


@asynccontextmanager
async def doors(database_url: str, **settings: object) -> AsyncIterator[Doors]:
    """All of it, open."""
    clock = AdjustableClock()
    port = free_port()
    given = {
        "database_url": database_url,
        "http_port": port,
        "secret_key": SECRET_KEY,
        "proxy_networks": ["127.0.0.1/32"],
    }
    made = Settings.model_validate(given | settings)
    async with serving(made, clock, installed(COMPONENTS), database_url) as served, ClientSession() as session:
        assert served.url is not None
        process = served.process
        keys = await _settle(process)
        terminals = await enrolled(process.bus, served.url, rows=ROWS)
        number = await _merge(process, terminals[0])
        opened = Doors(process, served.url, session, keys, terminals, merge_number=number)
        await opened.open_counters()
        yield opened


async def _settle(process: HubProcess) -> dict[str, bytes]:
    await _done(process, RegisterScheme(lg_code=CITY, point_name="市ポイント", expiry_rule="none"))
    keys: dict[str, bytes] = {}
    for name, (party_id, kind) in PARTIES.items():
        keys[name], public = _key_pair()
        await _done(process, RegisterParty(party_id=party_id, kind=kind, name=name))
        await _done(
            process,
            RegisterPartyKey(party_id=party_id, key_id=name, algorithm=KeyAlgorithm.ed25519, key_bytes=public),
        )
        page = f"https://{name}.example/"
        await _done(process, PresentParty(party_id=party_id, linkage=Linkage.id_link, page_url=page))
    for name, (street_id, issuer_id) in STREETS.items():
        keys[name], public = _key_pair()
        await _street(process, name, street_id, issuer_id, public)
    await _people(process)
    return keys


def _key_pair() -> tuple[bytes, bytes]:
    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


async def _street(process: HubProcess, name: str, street_id: UUID, issuer_id: str, public: bytes) -> None:
    issuer = Issuer(issuer_id=issuer_id, name=name, kind=IssuerKind.street, lg_code=CITY, pattern="[0-9]{6}")
    await _done(process, RegisterIssuer(issuer=issuer))
    await _done(process, RegisterStreet(street=Street(street_id=street_id, issuer_id=issuer_id, code=name, name=name)))
    signer = RegisterStreetSigner(street_id=street_id, key_id=name, algorithm=KeyAlgorithm.ed25519, key_bytes=public)
    await _done(process, signer)
    changes = {"valid_from": process.clock.now() - timedelta(days=1), "valid_to": None}
    key = key_of(Street.model_fields["layout"].get_default(call_default_factory=True).mode)
    await _done(process, RegisterMergeKey(street_id=street_id, merge_key=key.model_copy(update=changes)))


async def _people(process: HubProcess) -> None:
    await _done(
        process,
        RegisterCitizen(
            citizen_id=CITIZEN,
            mykey_id="CITIZEN1",
            name="氏名 一",
            mail="citizen@mail.example",
            base_lg_code=CITY,
            choices=MailChoices(),
        ),
    )
    for party_id, _kind in PARTIES.values():
        await _done(process, LinkCitizen(citizen_id=CITIZEN, party_id=party_id, link_id=LINK))
    for name in ("shop", "fund"):
        await _done(process, ApplyForParty(lg_code=CITY, party_id=PARTIES[name][0], mode=DealMode.direct, mail=MAIL))
    await _done(
        process, ReferBusiness(referral_id=REFERRAL, lg_code=CITY, party_id=PARTIES["fund"][0], business="酒蔵")
    )
    check = MembershipCheck(login_url="http://127.0.0.1:1/login")
    await _done(process, SetUpLinkage(party_id=PARTIES["airline"][0], membership=check))
    await process.drained(deadline_s=15)
    granted = GrantPoints(
        party_id=UUID(int=9),
        command_id="grant",
        request_hash=bytes(16),
        citizen_id=CITIZEN,
        programme_id=UUID(int=9),
        pool=POOL,
        points=10_000,
    )
    assert (await ask(process, granted)).status == "posted"


async def _merge(process: HubProcess, terminal: Terminal) -> str:
    """Points on their way to the first street; the number of their file."""
    _street_id, issuer_id = STREETS["honmachi"]
    terminal_id = terminal.terminal_id
    number = RegisterServiceId(
        citizen_id=CITIZEN, issuer_id=issuer_id, number="520625", terminal_id=terminal_id, operation_id=uuid4()
    )
    await _done(process, number)
    merge = StartMerge(
        merge_id=uuid4(),
        issuer_id=issuer_id,
        citizen_id=CITIZEN,
        pool=POOL,
        points=300,
        terminal_id=terminal_id,
        lg_code=CITY,
    )
    answer = await ask(process, merge)
    assert answer.number, answer
    return str(answer.number)


async def _done(process: HubProcess, message: Answered[Any]) -> None:
    answer = await ask(process, message)
    assert getattr(answer, "code", None) is None, answer
