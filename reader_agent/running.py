"""The agent at work: its page, the card desk, the uplink; the page is there also while the others are not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn, TypeAlias
from uuid import UUID

import structlog

from reader_agent import enrolment
from reader_agent.enrolment import EnrolledAs, Identity
from reader_agent.files.merge_folder import MergeDrop
from reader_agent.hub_tls import HubAuthorityError
from reader_agent.line_device import read_lines
from reader_agent.notify.handing_on import HandingOn
from reader_agent.page import Page
from reader_agent.page_html import MergesShown, Standing, UplinkState
from reader_agent.ports import CardDesk, MergeDesk, Notifier, PinPad, StreetDesk
from reader_agent.private_files import OpenToOthersError
from reader_agent.settings import Settings
from reader_agent.street.card_reads import CardReads
from reader_agent.street.door import StreetDoor
from reader_agent.street.hub_asking import HubAsking
from reader_agent.street.pairing import Pairing
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import CardEvent, ReaderState

UPLINK_AGAIN_S: Final = 60.0
"""How long an uplink that has failed by itself is left alone: somebody may have put right what is wrong here."""
_FAILURES: Final[Mapping[type, UplinkState]] = {
    HubAuthorityError: "no_authority",
    OpenToOthersError: "open_to_others",
}

log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class UplinkParts:
    """What the uplink works with: who this terminal is, where its jobs go, and who is told how it is."""

    settings: Settings
    identity: Identity
    enrolled: EnrolledAs
    desk: CardDesk
    pin_pad: PinPad
    notifier: Notifier
    merges: MergeDesk
    tell: Callable[[UplinkState], None]
    streets: StreetDesk | None = None


OpenDesk: TypeAlias = Callable[[TypedNumbers], AbstractAsyncContextManager[CardDesk]]
KeepUp: TypeAlias = Callable[[UplinkParts], Awaitable[None]]
"""Keeps the uplink up, reconnecting, until it is cancelled."""


class Agent:
    """Everything of one terminal. `run` returns when it is cancelled."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Raises OpenToOthersError, OSError."""
        self._settings = settings
        self._identity = Identity(folder)
        self._standing = Standing()
        self._numbers = TypedNumbers()
        self._streets = HubAsking()
        self._pairing = Pairing(folder) if settings.street_api else None
        street = None if self._pairing is None else self._street_door(self._pairing)
        self.page = Page(settings.page_port, self._standing, self._numbers, self._enrol, street)
        self._notifier = HandingOn(settings)
        self._merges = MergeDrop(settings.merge_folder, folder, self._show_merges)
        self._show_merges()
        self._enrolled: asyncio.Queue[EnrolledAs] = asyncio.Queue()
        found = self._identity.enrolled(settings)
        if found is not None:
            self._take(found)

    async def run(self, open_desk: OpenDesk, keep_up: KeepUp) -> None:
        """Serve the page and do what the hub asks."""
        try:
            async with self.page, open_desk(self._numbers) as desk, asyncio.TaskGroup() as group:
                log.info("agent_started", page=self.page.url)
                group.create_task(self._watch(desk))
                group.create_task(self._keep_up(desk, keep_up))
                group.create_task(self._merges.run())
                if self._settings.line_device is not None:
                    group.create_task(read_lines(self._settings.line_device, self._numbers))
        finally:
            await self._notifier.close()

    def _street_door(self, pairing: Pairing) -> Callable[[Callable[[], None]], StreetDoor]:
        return lambda changed: StreetDoor(pairing, CardReads(self._streets.ask, changed))

    async def _enrol(self, typed: Mapping[str, str]) -> None:
        enrolled = await enrolment.enrol(self._settings, self._identity, typed)
        if self._pairing is not None:
            # It may be another street's terminal now.
            self._pairing.end()
        self._take(enrolled)

    def _take(self, enrolled: EnrolledAs) -> None:
        self._standing.terminal = enrolled.terminal
        self._enrolled.put_nowait(enrolled)
        self.page.changed()
        log.info("terminal_known", terminal_id=enrolled.terminal.terminal_id)

    async def _watch(self, desk: CardDesk) -> None:
        """Show on the page what the reader tells."""
        cards: set[UUID] = set()
        async for event in desk.events():
            match event:
                case ReaderState(connected=connected):
                    self._standing.reader = connected
                    cards = cards if connected else set()
                case CardEvent(what="inserted", insertion=insertion):
                    cards.add(insertion)
                case CardEvent(insertion=insertion):
                    cards.discard(insertion)
            self._standing.card = bool(cards)
            self.page.changed()

    async def _keep_up(self, desk: CardDesk, keep_up: KeepUp) -> None:
        """One uplink at a time: whoever enrols anew connects as what it is now."""
        enrolled = await self._enrolled.get()
        while True:
            parts = UplinkParts(
                self._settings, self._identity, enrolled, desk, self.page, self._notifier, self._merges,
                self._tell_uplink, self._streets,
            )  # fmt: skip
            running = asyncio.create_task(self._again_and_again(keep_up, parts))
            try:
                enrolled = await self._enrolled.get()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def _again_and_again(self, keep_up: KeepUp, parts: UplinkParts) -> NoReturn:
        """It is to end only when it is cancelled: where it has ended by itself, say so, and try again."""
        while True:
            (error,) = await asyncio.gather(keep_up(parts), return_exceptions=True)
            log.error("uplink_failed", error=type(error).__name__)
            self._tell_uplink(_FAILURES.get(type(error), "failed"))
            await asyncio.sleep(UPLINK_AGAIN_S)

    def _show_merges(self) -> None:
        self._standing.merges = MergesShown(self._merges.trouble, self._merges.waiting)
        self.page.changed()

    def _tell_uplink(self, state: UplinkState) -> None:
        self._standing.uplink = state
        self.page.changed()


def installed_desk() -> OpenDesk:
    """The card desk; imported late, so that the page and the set-up need no reader."""
    open_desk: OpenDesk = import_module("reader_agent.desk").open_desk
    return open_desk


def installed_uplink() -> KeepUp:
    """The uplink."""
    keep_up: KeepUp = import_module("reader_agent.uplink").keep_up
    return keep_up
