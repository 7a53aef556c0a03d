"""Whose card is in: asked by the street's software, agreed to by the person at the terminal, answered by the hub."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID, uuid4

import structlog

from schemas.problems import RefusalCode
from schemas.uplink import StreetCardTold

CONSENT_LIMIT_S: Final = 60.0
KEPT_S: Final = 60.0
"""How long what came of a read may be asked for."""

log: Final = structlog.get_logger()

AskHub = Callable[[UUID], Awaitable[StreetCardTold]]
"""See hub_asking.HubAsking.ask; a failure is an answer, never an exception."""


@dataclass(slots=True)
class CardRead:
    """One read. `member_id` where it is done, `code` (schemas.problems) where it has failed."""

    read_id: UUID
    state: Literal["consent", "reading", "done", "failed"] = "consent"
    member_id: str | None = field(default=None, repr=False)
    code: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in {"done", "failed"}


class CardReads:
    """One at a time; the last one is remembered for a while."""

    def __init__(self, ask: AskHub, changed: Callable[[], None], *, kept_s: float = KEPT_S) -> None:
        """`changed` hears that a consent is asked for, or no longer."""
        self._ask = ask
        self._changed = changed
        self._kept_s = kept_s
        self._last: CardRead | None = None
        self._consent: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def wants_consent(self) -> UUID | None:
        """The read that the person at the terminal is asked to agree to."""
        return None if self._last is None or self._last.state != "consent" else self._last.read_id

    def start(self) -> CardRead | None:
        """A read; None while another is under way."""
        if self._last is not None and not self._last.is_over:
            return None
        read = self._last = CardRead(uuid4())
        self._consent = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(read, self._consent))
        log.info("street_read_asked", read_id=str(read.read_id))
        self._changed()
        return read

    def of(self, read_id: UUID) -> CardRead | None:
        """The last read, by its id."""
        return self._last if self._last is not None and self._last.read_id == read_id else None

    def answer(self, read_id: str, *, agrees: bool) -> bool:
        """The person's word; False where it comes too late, or for another read."""
        if read_id != str(self.wants_consent) or self._consent is None or self._consent.done():
            return False
        self._consent.set_result(agrees)
        return True

    def forget(self) -> None:
        """Break off, and remember nothing."""
        if self._task is not None:
            self._task.cancel()
        self._last = None
        self._changed()

    async def _run(self, read: CardRead, consent: "asyncio.Future[bool]") -> None:
        told = await self._told(read, consent)
        read.member_id = told.member_id
        read.code = None if told.member_id is not None else told.code or RefusalCode.reader_failed
        read.state = "failed" if read.member_id is None else "done"
        log.info("street_read_ended", read_id=str(read.read_id), code=read.code)
        self._changed()
        await asyncio.sleep(self._kept_s)
        if self._last is read:
            self._last = None

    async def _told(self, read: CardRead, consent: "asyncio.Future[bool]") -> StreetCardTold:
        try:
            async with asyncio.timeout(CONSENT_LIMIT_S):
                agrees = await consent
        except TimeoutError:
            return StreetCardTold(ask_id=read.read_id, code=RefusalCode.read_timeout)
        if not agrees:
            return StreetCardTold(ask_id=read.read_id, code=RefusalCode.read_cancelled)
        read.state = "reading"
        self._changed()
        return await self._ask(read.read_id)
