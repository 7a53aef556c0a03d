"""A card desk in memory: it says what the test has it say, at once or when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from reader_agent.ports import PinPad
from schemas.uplink import (
    CardEvent,
    CardJob,
    CardResult,
    NotifyJob,
    NotifyResult,
    NumberJob,
    NumberResult,
    Outcome,
    ReaderState,
)
from tests.connectors.terminal.agents import CERTIFICATE, SIGNATURE


class NoPinPad:
    """Nobody is asked for a PIN by this desk."""

    async def ask(self, job: CardJob, tries_left: int) -> str:
        """Never."""
        raise NotImplementedError

    async def ask_signature_password(self, job: CardJob, tries_left: int) -> str:
        """Never."""
        raise NotImplementedError


@dataclass
class MemoryDesk:
    """See reader_agent.ports.CardDesk; a Notifier as well."""

    waits: bool = False
    """Whether a job takes until it is cancelled."""
    fails: bool = False
    insertion: UUID = field(default_factory=uuid4)
    asked: list[tuple[CardJob, str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    said: "asyncio.Queue[CardEvent | ReaderState]" = field(default_factory=asyncio.Queue)

    async def prove(self, job: CardJob, pin_pad: PinPad, hub_origin: str, terminal_id: str) -> CardResult:
        """A certificate and a signature, as far as anybody here looks."""
        del pin_pad
        self.asked.append((job, hub_origin, terminal_id))
        await self._do("prove")
        return CardResult(
            job_id=job.job_id,
            outcome=Outcome.done,
            insertion=self.insertion,
            certificate=CERTIFICATE,
            signature=SIGNATURE if job.how == "pin" else None,
        )

    async def release(self) -> None:
        """At once."""
        self.done.append("release")

    async def number(self, job: NumberJob) -> NumberResult:
        """The one number."""
        await self._do("number")
        return NumberResult(job_id=job.job_id, outcome=Outcome.done, number="0123456789", source="felica")

    async def hand_on(self, job: NotifyJob) -> NotifyResult:
        """Handed on."""
        await self._do(job.number)
        return NotifyResult(job_id=job.job_id, outcome=Outcome.done)

    async def events(self) -> AsyncIterator[CardEvent | ReaderState]:
        """What the test put in."""
        while True:
            yield await self.said.get()

    async def _do(self, what: str) -> None:
        self.done.append(what)
        if self.fails:
            raise RuntimeError("PIN 1234")
        if self.waits:
            await asyncio.Event().wait()
