"""A small town behind the portal: two schemes, events, an airline, two citizens with passwords and reserve points."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

from aiohttp import ClientSession, DummyCookieJar

from demo.ports import free_port
from hub.clock import AdjustableClock, Clock
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from schemas.links import Linkage, PresentParty
from schemas.municipalities import RegisterScheme, RegisterSupportEvent
from schemas.parties import PartyKind, RegisterParty
from schemas.points import BalanceOf, CreditPoints
from schemas.values import RESERVE
from tests.connectors.portal.browser import Browser, Page
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask
from tests.workers.registry.ca import Authority
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import PASSWORD, created

NOW: Final = datetime(2017, 10, 2, 3, tzinfo=UTC)
CITY: Final = "232343"
OTHER_CITY: Final = "402117"
PREFECTURE: Final = "230006"
AIRLINE: Final = UUID(int=0xA1)
CITY_EVENT: Final = UUID("0e000000-0000-4000-8000-000000000001")
PREFECTURE_EVENT: Final = UUID("0e000000-0000-4000-8000-000000000002")
FIRST: Final = "MYCHOICE"
SECOND: Final = "TANAKA01"
POINTS: Final = (1_000, 500)


@dataclass(frozen=True)
class Town:
    """A portal that is open."""

    process: HubProcess
    url: str
    session: ClientSession
    first: UUID
    second: UUID
    issuer: Authority
    _numbers: "count[int]" = field(default_factory=lambda: count(3))

    def browser(self, url: str | None = None) -> Browser:
        """A new one."""
        return Browser(self.session, url or self.url)

    async def logged_in(self, mykey_id: str = FIRST, **values: str) -> tuple[Browser, Page]:
        """Somebody on My Page."""
        browser = self.browser()
        page = await log_in(browser, mykey_id, **values)
        assert page.status == 200, page.text
        assert page.path == "/my", page.text
        return browser, page

    async def somebody(self, name: str = "氏名 三") -> tuple[Browser, UUID]:
        """A citizen of a test's own, on My Page, with reserve points as the first one's."""
        number = next(self._numbers)
        mykey_id = f"PERSON{number:02}"
        citizen_id = await created(self.process, self.issuer.card(number), mykey_id, base_lg_code=CITY, name=name)
        for nth, points in enumerate(POINTS):
            await ask(self.process, credit(citizen_id, f"{mykey_id}-{nth}", points))
        browser, _page = await self.logged_in(mykey_id)
        return browser, citizen_id

    async def balance(self, citizen_id: UUID) -> dict[str, int]:
        """By pool."""
        return (await ask(self.process, BalanceOf(citizen_id=citizen_id))).by_pool


async def log_in(browser: Browser, mykey_id: str = FIRST, **values: str) -> Page:
    """The page that comes of it."""
    page = await browser.get("/login")
    password = values.pop("password", PASSWORD)
    return await browser.submit(page, "/login", follow=True, mykey_id=mykey_id, password=password, **values)


@asynccontextmanager
async def town(
    database_url: str, folder: Path, clock: AdjustableClock | None = None, *components: str, **settings: object
) -> AsyncIterator[Town]:
    """The town, open; `settings` by their names; `components` where it takes others than the usual ones."""
    issuer = authorities(folder, 1)[0]
    time = clock or AdjustableClock(NOW)
    async with portal(database_url, folder, time, *components, **settings) as (process, url), client() as session:
        await _settle(process)
        first = await created(process, issuer.card(1), FIRST, base_lg_code=CITY)
        second = await created(process, issuer.card(2), SECOND, base_lg_code=CITY, name="氏名 二")
        for number, points in enumerate(POINTS):
            await ask(process, credit(first, f"first-{number}", points))
        await ask(process, credit(second, "second", 70))
        await process.drained(deadline_s=10)
        yield Town(process, url, session, first, second, issuer)


@asynccontextmanager
async def portal(
    database_url: str, folder: Path, clock: Clock, *components: str, **settings: object
) -> AsyncIterator[tuple[HubProcess, str]]:
    """A process with the portal, and its address."""
    given = {"database_url": database_url, "http_port": free_port(), "secret_key": SECRET_KEY, "card_anchors": folder}
    made = Settings.model_validate(given | settings)
    names = components or ("registry", "ledger", "goods", "checkout", "portal")
    async with serving(made, clock, installed(names), database_url) as served:
        assert served.url is not None
        yield served.process, served.url


def client() -> ClientSession:
    """Keeps no cookies: browsers do."""
    return ClientSession(cookie_jar=DummyCookieJar())


def credit(citizen_id: UUID, command_id: str, points: int) -> CreditPoints:
    """The airline moves points in."""
    return CreditPoints(
        party_id=AIRLINE,
        command_id=command_id,
        request_hash=sha256(command_id.encode()).digest()[:16],
        citizen_id=citizen_id,
        pool=RESERVE,
        points=points,
    )


async def _settle(process: HubProcess) -> None:
    for lg_code, name in ((CITY, "市ポイント"), (OTHER_CITY, "隣市ポイント")):
        await ask(process, RegisterScheme(lg_code=lg_code, point_name=name, expiry_rule="months:12"))
    for event_id, holder, name in ((CITY_EVENT, CITY, "市の催し"), (PREFECTURE_EVENT, PREFECTURE, "県の催し")):
        await ask(
            process,
            RegisterSupportEvent(
                event_id=event_id,
                lg_code=holder,
                point_name=name,
                first=NOW.date(),
                last=NOW.date().replace(month=12),
                usable_in=(CITY,) if holder == PREFECTURE else (),
            ),
        )
    await ask(process, RegisterParty(party_id=AIRLINE, kind=PartyKind.partner, name="航空会社"))
    page = PresentParty(
        party_id=AIRLINE, linkage=Linkage.id_link, page_url="https://airline.example/", about="航空会社です。"
    )
    await ask(process, page)
