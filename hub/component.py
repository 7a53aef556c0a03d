"""What a component is: handlers, answers, pages and jobs around the tables that it alone writes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from schemas.message import Envelope, Message, Query

if TYPE_CHECKING:
    from hub.bus import Bus
    from hub.clock import Clock
    from hub.database import Database
    from hub.settings import Settings
    from hub.transaction import Reading, Transaction
    from hub.web.app import Route


class Handler(Protocol):
    """Handles a run of messages that it was registered for, in order, in one transaction.

    Commands get one answer each, in order; a business refusal is an answer, not an error. Events get None. What is
    raised rolls everything back: the hub then tries each message by itself, so that one poison message hurts nobody.
    """

    async def __call__(self, messages: Sequence[Any], tx: "Transaction", /) -> Sequence[BaseModel] | None:
        """Rows, the inbox mark and what is said next commit together, or not at all."""


class Answerer(Protocol):
    """Answers a query from committed state."""

    async def __call__(self, query: Any, reading: "Reading", /) -> BaseModel:  # noqa: ANN401 - each its own query
        """Reads with the component's own role, changes nothing."""


class Outside(Protocol):
    """Does something slow or outside (SMTP, HTTP, files) for one command, with no transaction open.

    It may be done again after a crash, with the same envelope id: the other side must be able to tell.
    """

    async def __call__(self, envelope: Envelope, /) -> None:
        """Raises hub.errors.TransientError to be tried again later, PermanentError to be parked."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something a component does by itself every `every_s` seconds, in one process at a time (an advisory lock)."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Component:
    """One component, as its entry point in the group `mykey_hub.components` builds it."""

    name: str
    handlers: Mapping[type[Message], Handler] = field(default_factory=dict)
    answers: Mapping[type[Query], Answerer] = field(default_factory=dict)
    outside: Mapping[type[Message], Outside] = field(default_factory=dict)
    outside_limit: int = 1
    """How many outside messages of this component are in work at once, per lane."""
    routes: Sequence["Route"] = ()
    jobs: Sequence[Job] = ()
    close: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a component is built from."""

    settings: "Settings"
    clock: "Clock"
    bus: "Bus"
    database: "Database"
    """The component's own tables, by its own role; for reading and for what its doors write outside handlers."""


Factory = Callable[[Context], Component]
"""What the entry point names: builds the component; connects to nothing yet."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A component that is installed: its name, and its factory as the entry point names it."""

    name: str
    factory: Factory
