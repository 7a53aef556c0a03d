"""A town with virtual cards, each in the reader of a terminal of its own, as the demo has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from hub import demo_file
from hub.demo_file import DemoCard, DemoOffer
from reader_agent.uplink import Uplink
from tests.connectors.portal.browser import Browser, Page
from tests.connectors.portal.town import NOW, Town, town
from tests.connectors.terminal.agents import DEADLINE_S, Terminal, enrolled
from tests.connectors.terminal.counters import Program, anchors
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import JpkiCard
from tests.reader_agent.card.counter import Citizen
from tests.reader_agent.card.in_memory import InMemoryReader, in_memory_desk
from tests.reader_agent.no_merges import NoMerges
from tests.reader_agent.test_uplink import QUICK, who_is
from tests.waiting import wait_until

COMPONENTS: Final = ("registry", "ledger", "terminal", "portal")
CARDS: Final = 13
PASSWORD: Final = "mugi-8251-tsubame"


@dataclass(frozen=True)
class Reader:
    """A terminal with a card in it."""

    terminal: Terminal
    slot: InMemoryReader
    citizen: Citizen

    @property
    def card(self) -> str:
        """As the form names it."""
        return self.terminal.terminal_id


@dataclass(frozen=True)
class CardTown:
    """The town and its readers; each test takes readers of its own."""

    town: Town
    readers: list[Reader]
    demo: Path

    async def create(self, reader: Reader, mykey_id: str, **details: str) -> tuple[Browser, Page]:
        """Somebody who has made a MyKey ID with this card, on the last page of it."""
        browser = self.town.browser()
        page = await self.to_confirm(browser, reader, mykey_id, **details)
        return browser, await browser.submit(page, "/create/confirm", password=PASSWORD)

    async def to_confirm(self, browser: Browser, reader: Reader, mykey_id: str, **details: str) -> Page:
        """Up to the last button."""
        page = await browser.submit(await browser.get("/create"), "/create", card=reader.card)
        page = await browser.submit(page, "/create/id/check", mykey_id=mykey_id)
        page = await browser.submit(page, "/create/id/take")
        page = await browser.submit(page, "/create/place", prefecture="230006")
        typed = {"name": "氏名 一", "mail": "one@mail.example", "base_lg_code": "232343"} | details
        return await browser.submit(page, "/create/details", follow=True, **typed)


@asynccontextmanager
async def card_town(database_url: str, folder: Path, authority: CardAuthority) -> AsyncIterator[CardTown]:
    """Open, with its cards in."""
    anchors(folder, authority)
    demo = folder / "demo.json"
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(town(database_url, folder, None, *COMPONENTS, demo_file=demo))
        terminals = await enrolled(opened.process.bus, opened.url, CARDS)
        readers = [await stack.enter_async_context(reader_of(one, authority)) for one in terminals]
        cards = [DemoCard(terminal_id=one.card, number=number) for number, one in enumerate(readers, 1)]
        demo_file.write(demo, DemoOffer(cards=tuple(cards)))
        yield CardTown(opened, readers, demo)


@asynccontextmanager
async def reader_of(terminal: Terminal, authority: CardAuthority) -> AsyncIterator[Reader]:
    """A terminal whose agent is connected, with a card of somebody who has no MyKey ID yet."""
    states: list[str] = []
    citizen = Citizen()
    async with in_memory_desk() as (desk, slot):
        slot.insert(JpkiCard(authority.issue(issued_at=NOW - timedelta(days=400))))
        uplink = Uplink(who_is(terminal), desk, citizen, Program(), NoMerges(), states.append, pauses=QUICK)
        running = asyncio.create_task(uplink.run())
        try:
            await wait_until(lambda: states[-1:] == ["on"], DEADLINE_S)
            yield Reader(terminal, slot, citizen)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
