"""The port between the hub and its transports: what a process tells others and asks of them."""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from pydantic import BaseModel

from hub.component import CALLS_AT_ONCE
from hub.database import Database
from hub.deliveries import Stored
from hub.keys import Keys
from hub.outbox import ToDo
from hub.tracing import Trace
from schemas.message import Message

Serve: TypeAlias = Callable[[str, Sequence[Message], Trace], Awaitable[list[BaseModel | None]]]
"""Answers a call of another process: (component, messages, trace)."""
Loop: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Arrivals(Protocol):
    """Messages that a transport has brought for one receiver, lane by lane; PostgreSQL says which of them are due."""

    def lanes_are(self, lanes: Collection[int]) -> None:
        """The lanes that this process works on from now on: bring what comes for them, give the others back."""

    def held(self, lane: int) -> Mapping[UUID, Stored]:
        """What is at hand."""

    def count(self, lane: int) -> int:
        """How many batches have come for this lane so far."""

    def done(self, lane: int, message_ids: Sequence[UUID]) -> None:
        """These have been handled, or put off, and that is committed."""

    def settled(self, lane: int, count: int) -> None:
        """Of the first `count` batches nothing is due any more."""


class Transport(Protocol):
    """Tells other processes what is due for them, and carries calls to them and back."""

    def loops(self) -> Mapping[str, Loop]:
        """What has to run for ever, by name."""

    def arrivals(self, receiver: str, wake: Callable[[int], bool]) -> Arrivals | None:
        """What brings a receiver of this process its messages; None where they are read from the store.

        `wake` is told the lane for which something has come.
        """

    def tell(self, todo: ToDo) -> None:
        """This is committed, and due for other processes. Never waits; polling stands behind it."""

    def signal(self, name: str) -> None:
        """Hint to all other processes that there is something to do under this name. Never waits, and may be lost."""

    async def ask(self, receiver: str, messages: Sequence[Message], trace: Trace, deadline_s: float) -> list[Any]:
        """Ask a component of another process; cancelled by the caller's deadline.

        Raises what hub.transports.remote_calls names; TransientError where there is no way to the other process.
        """

    def stop_taking(self) -> None:
        """Take no more calls of others: they are for other processes."""

    async def finish(self) -> None:
        """The same, and wait for those that are in work here."""

    def complaint(self) -> str | None:
        """What is wrong with the way to other processes, in static words; None when all is well."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a transport has to know of the process that it works for."""

    process_id: UUID
    components: Collection[str]
    database: Database
    wake_url: str
    keys: Keys
    serve: Serve
    heard: Callable[[AbstractSet[str]], None]
    """Told the receivers that may have something due, and what was signalled."""
    calls_at_once: int = CALLS_AT_ONCE
    """The most calls of other processes in work here at once, on each way they come."""
