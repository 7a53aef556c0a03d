"""The companies that the story's citizen deals with, and the citizen's browser: peers until the story ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from aiohttp import ClientSession, ClientTimeout

from demo.peers import START_TIMEOUT_S, PartnerKey, PeerFailedError, heard, peer, tell
from demo.world import made_up_id
from hub.bus import Bus
from schemas.id_links import CALLBACK
from schemas.points import BalanceOf
from schemas.settlement import MunicipalSummaryOf, PlaceSummaryOf
from schemas.values import RESERVE, scheme_pool

COMPANIES: Final = "tests.peers.market"
CITIZEN: Final = "tests.peers.citizen"
TIMEOUT_S: Final = 60.0
CARD_COMPANY: Final = made_up_id("partner", "card")
CARD_COMPANY_NAME: Final = "カード会社"
PARTIES: Final = {
    "airline": made_up_id("partner", "airline"),
    "card": CARD_COMPANY,
    "shop": made_up_id("shop", "meisan"),
    "fund": made_up_id("fund", "mirai"),
}
MEMBER: Final = ("tsubasa", "hikoki-2017", "customer-00073104")
"""Of the companies whose accounts are linked: log-in, password, and their own name for the member."""


class Companies:
    """Their sites, by name."""

    def __init__(self, session: ClientSession, sites: Mapping[str, Mapping[str, str]]) -> None:
        self._session = session
        self._sites = sites

    def site(self, name: str) -> str:
        """Its address."""
        return self._sites[name]["site"]

    def issuer(self, name: str) -> str:
        """Its OpenID provider."""
        return self._sites[name]["issuer"]

    async def ask(self, name: str, place: str, body: object = None) -> Any:  # noqa: ANN401 - whatever is answered
        """What its site says: POST with a body, else GET."""
        return await self._asked(self.site(name) + place, body)

    async def staff(self, name: str, method: str, place: str, body: object = None) -> Any:  # noqa: ANN401 - whatever is answered
        """What the hub's API answers its staff at this place below `/api`."""
        return await self.ask(name, "/staff", {"method": method, "place": place, "body": body})

    async def held_tokens(self, name: str) -> int:
        """How many tokens its provider takes for good."""
        held: int = (await self._asked(f"{self.issuer(name)}/held"))["tokens"]
        return held

    async def link_id(self, name: str) -> str | None:
        """By which link id the hub knows the member, if it does."""
        found = await self.staff(name, "POST", "/partner/link-lookups", {"subjects": [MEMBER[2]]})
        link_id: str | None = found["links"][0]["link_id"]
        return link_id

    async def _asked(self, url: str, body: object = None) -> Any:  # noqa: ANN401 - whatever is answered
        async with self._session.request("GET" if body is None else "POST", url, json=body) as answer:
            return await answer.json()


class Visitor:
    """The citizen's browser."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def does(self, walk: str, **asked: object) -> dict[str, Any]:
        """One of the walks of `tests.peers.citizen`, and what came of it. Raises PeerFailedError."""
        tell(self._process, {"walk": walk, **asked})
        came = await heard(self._process, CITIZEN, TIMEOUT_S)
        if "astray" in came:
            raise PeerFailedError(f"{CITIZEN}: {walk}: {came['astray']}")
        return came


@dataclass(frozen=True, slots=True)
class Market:
    """The companies, and one citizen who has come to them, at home in a municipality."""

    bus: Bus
    companies: Companies
    visitor: Visitor
    citizen_id: UUID
    lg_code: str
    password: str

    @property
    def pool(self) -> str:
        """The municipality's points."""
        return scheme_pool(self.lg_code)

    async def link(self, name: str) -> tuple[str, str | None]:
        """The account at this company, through its own log-in: what the page says, and the company's link id."""
        login, secret, _ = MEMBER
        done = await self.visitor.does(
            "link", party_id=str(PARTIES[name]), login=login, secret=secret, password=self.password
        )
        return done["words"], await self.companies.link_id(name)

    async def held(self) -> tuple[int, int]:
        """The citizen's reserve points, and the municipality's."""
        found = (await self.bus.call(BalanceOf(citizen_id=self.citizen_id), TIMEOUT_S)).by_pool
        return found.get(RESERVE, 0), found.get(self.pool, 0)

    async def settled(self, day: date) -> Counter[tuple[str, str]]:
        """What of that day these companies and the municipality settle, by both sides, and what partners are told."""
        summary = await self.bus.call(MunicipalSummaryOf(lg_code=self.lg_code, first=day, last=day), TIMEOUT_S)
        names = {party_id: name for name, party_id in PARTIES.items()}
        points: Counter[tuple[str, str]] = Counter()
        for line in summary.lines:
            if line.counterparty_id in names and line.direction != 0:
                points[names[line.counterparty_id], line.kind] += line.points
        for name in ("airline", "card"):
            told = await self.companies.staff(name, "GET", f"/partner/settlement?first={day}&last={day}")
            points[name, "came in"] = told["points"]
        for name in ("shop", "fund"):
            places = PlaceSummaryOf(lg_code=self.lg_code, first=day, last=day, place_id=PARTIES[name])
            points[name, "to be paid"] = (await self.bus.call(places, TIMEOUT_S)).points
        return points


@asynccontextmanager
async def companies_and_visitor(
    hub_url: str, keys: Mapping[str, PartnerKey], with_provider: str
) -> AsyncIterator[tuple[Companies, Visitor]]:
    """Both processes, started side by side; members of `with_provider` log in at its OpenID provider."""
    asked = [
        {
            "name": name,
            "party_id": str(PARTIES[name]),
            "key_file": str(key.path),
            "key_id": key.key_id,
            "members": [":".join(MEMBER)],
            **({"redirect_uri": f"{hub_url}{CALLBACK}{PARTIES[name]}"} if name == with_provider else {}),
        }
        for name, key in keys.items()
    ]
    pipe = asyncio.subprocess.PIPE
    async with (
        peer(COMPANIES, stdin=pipe) as selling,
        peer(CITIZEN, "--url", hub_url, stdin=pipe) as browsing,
        ClientSession(timeout=ClientTimeout(total=TIMEOUT_S)) as session,
    ):
        tell(selling, {"url": hub_url, "companies": asked})
        yield Companies(session, await heard(selling, COMPANIES, START_TIMEOUT_S)), Visitor(browsing)
