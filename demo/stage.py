"""The stage of the story: what acts play on, what they check, what they report."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from demo.market import Market
from demo.oracle import Expected
from demo.peers import Mailbox, PartnerKey
from demo.terminals import VirtualTerminals
from demo.world import OPENING_HOUR, World, WorldError
from hub.clock import JAPAN, AdjustableClock, SharedClock
from hub.process import HubProcess
from hub.settings import Settings
from schemas.clockwork import ClockworkDoneOf

CALL_DEADLINE_S: Final = 60.0
DAY_DEADLINE_S: Final = 90.0
DRAIN_DEADLINE_S: Final = 120.0
SOON_S: Final = 20.0
POLL_S: Final = 0.05
DETAIL_LIMIT_CHARS: Final = 400


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to hold."""

    name: str
    held: bool
    detail: str = ""


@dataclass(slots=True)
class Stage:
    """What an act may use. `report` is what the JSON file gets."""

    world: World
    expected: Expected
    clock: AdjustableClock | SharedClock
    process: HubProcess
    settings: Settings
    components: Collection[str]
    url: str
    """Where partners come in."""
    other_url: str
    """The same with another process behind it, where there is more than one; citizens come in there too."""
    terminal_url: str
    """Where terminals' agents come in."""
    carried: Callable[[], Awaitable[dict[str, int]]] | None
    """How many messages a broker has brought, where there is one, and how many were read from the store."""
    mailbox: Mailbox
    key: PartnerKey
    folder: Path
    stack: AsyncExitStack
    """What acts begin that stays until the story ends."""
    terminals: VirtualTerminals
    console_line: str
    """What opens the operators' console on this hub, for a shell."""
    say: Callable[[str], None]
    report: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    opened: Market | None = None

    @property
    def market(self) -> Market:
        """The companies and their citizen, once an act has opened it. Raises WorldError before."""
        if self.opened is None:
            raise WorldError("no market yet")
        return self.opened

    def check(self, name: str, found: object, expected: object) -> None:
        """Note whether what was found is what was expected."""
        held = found == expected
        detail = "" if held else f"found {found!r}, expected {expected!r}"[:DETAIL_LIMIT_CHARS]
        self.checks.append(Check(name, held, detail))

    async def check_soon(self, name: str, look: Callable[[], Awaitable[object]], expected: object) -> None:
        """Note whether what is looked at becomes what is expected, in a time."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + SOON_S
        found = await look()
        # Another process may bring it about: there is nobody to be told by.
        while found != expected and loop.time() < until_s:
            await asyncio.sleep(POLL_S)
            found = await look()
        self.check(name, found, expected)

    @contextmanager
    def timed(self, act: str) -> Iterator[None]:
        """Note how long an act took, in seconds."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[act] = round(time.monotonic() - begun, 2)

    async def drained(self) -> None:
        """Wait until nothing is due for anybody."""
        await self.process.drained(DRAIN_DEADLINE_S, self.components)

    async def live_until(self, day: date) -> None:
        """Move the clock to nine o'clock of a day and let the clockwork do that day's work."""
        self.clock.move_to(datetime(day.year, day.month, day.day, OPENING_HOUR, tzinfo=JAPAN))
        async with asyncio.timeout(DAY_DEADLINE_S):
            # Another process may do the work: there is nobody to be told by.
            while not (await self.process.bus.call(ClockworkDoneOf(day=day), CALL_DEADLINE_S)).done:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
