"""What the parts of the agent want of one another, so that each can be tested with another's stand-in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from schemas.uplink import (
    CardEvent,
    CardJob,
    CardResult,
    FromAgent,
    MergeFilesJob,
    MergeFilesResult,
    NotifyJob,
    NotifyResult,
    NumberJob,
    NumberResult,
    ReaderState,
    StreetCardTold,
)

TellHub: TypeAlias = Callable[[FromAgent], Awaitable[None]]
"""Says one thing over the open connection. Raises ConnectionError."""


class PinRefusedError(Exception):
    """The citizen pressed 「取消」, or typed nothing in time."""


class PinPad(Protocol):
    """Where a PIN is typed: the agent's own page. It never leaves this machine and is never logged."""

    async def ask(self, job: CardJob, tries_left: int) -> str:
        """The four digits. Cancelled by the job's deadline. Raises PinRefusedError."""

    async def ask_signature_password(self, job: CardJob, tries_left: int) -> str:
        """The signature certificate's password, 6 to 16 characters, for `address_change`. Raises PinRefusedError."""


class CardDesk(Protocol):
    """The reader and whatever card is in it. One job at a time; every job ends within its `limit_s`."""

    async def prove(self, job: CardJob, pin_pad: PinPad, hub_origin: str, terminal_id: str) -> CardResult:
        """Have the card prove itself (see CardJob). A failure is an outcome, never an exception."""

    async def release(self) -> None:
        """Power the card off: a typed PIN counts no longer."""

    async def number(self, job: NumberJob) -> NumberResult:
        """The number of the next street or library card."""

    def events(self) -> AsyncIterator[CardEvent | ReaderState]:
        """What is in the reader now, then cards put in and taken out, readers that come and go."""


class Notifier(Protocol):
    """Hands a number to the program beside us."""

    async def hand_on(self, job: NotifyJob) -> NotifyResult:
        """By the method that the job names. A failure is an outcome, never an exception."""


class MergeDesk(Protocol):
    """Where merge files go, and what the street's program says of them."""

    async def drop(self, job: MergeFilesJob) -> MergeFilesResult:
        """Put files where the street's program looks. A failure is told of its file, never an exception."""

    async def connected(self, tell: TellHub) -> None:
        """The hub is there, to be told. Raises ConnectionError."""

    def disconnected(self) -> None:
        """It is not any more."""

    async def taken(self, names: Sequence[str]) -> None:
        """The hub has the answers to these files."""


class StreetDesk(Protocol):
    """What the street's software asks of the hub through this agent."""

    def connected(self, tell: TellHub) -> None:
        """The hub is there, to be asked."""

    def disconnected(self) -> None:
        """It is not any more."""

    def told(self, answer: StreetCardTold) -> None:
        """The hub has answered; what nobody waits for is forgotten."""
