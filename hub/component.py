"""What a component is: handlers, answers, pages and jobs around the tables that it alone writes."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import BaseModel

from schemas.connections import ConnectionTested
from schemas.message import Envelope, Message, Query

if TYPE_CHECKING:
    from hub.bus import Bus
    from hub.clock import Clock
    from hub.database import Database
    from hub.settings import Settings
    from hub.transaction import Reading, Transaction
    from hub.web.app import Route

CALLS_AT_ONCE: Final = 64


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


class Unasked(Enum):
    """What an outside command is answered by that was done without asking the other side anything."""

    UNASKED = "unasked"


class Outside(Protocol):
    """Does something slow or outside (SMTP, HTTP, files) for one command, with no transaction open.

    It may be done again after a crash, with the same envelope id: the other side must be able to tell.
    """

    async def __call__(self, envelope: Envelope, /) -> Unasked | None:
        """Returns UNASKED where the other side was not asked, so that nothing is known of how it is.

        Raises:
            hub.errors.OutsideDownError: its other side is down: it waits, with all for that destination.
            hub.errors.NoAnswerError: there was no answer; to be tried again later, or the same.
            hub.errors.NotYetError: to be tried later, for the first time still: the other side was not asked.
            hub.errors.TransientError: to be tried again later.
            hub.errors.PermanentError: to be parked. This, and the one before: `answered` where the other side said so.
        """


def no_destination(_message: Message) -> None:
    """That of a component whose outside commands have no other side, or one that is not known before they are tried."""


class Apart(Protocol):
    """Answers a command or query that takes its time, with no transaction open: it hashes, or asks somebody.

    What it writes it writes in short transactions of its own (`hub.apart.committed`). It is called, never sent: as with
    any call, the same asked again must be safe.
    """

    async def __call__(self, message: Any, /) -> BaseModel:  # noqa: ANN401 - each its own message
        """The answer, once what it tells of has committed; a business refusal is an answer."""


class ConnectionTester(Protocol):
    """Tries whether somebody outside is reached; harmless, and quick: an operator waits for it."""

    async def __call__(self, query: Any, /) -> ConnectionTested:  # noqa: ANN401 - each its own query
        """What was tried, step by step; a step that fails is an answer, not an error."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something a component does by itself every `every_s` seconds, in one process at a time (a lease of one lane)."""

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
    outside_in_turn: bool = False
    """Whether what is for one other side goes to it one after the other, and what is for none likewise. Where one is
    slow, the rest of what is for it is put off for a moment, so that it holds up nobody else."""
    outside_try_limit_s: float | None = None
    """How long one outside message may take where the other side answers, each time at the last moment: a probe is cut
    off after that, and must not be once it is handed over. None: `hub.outages.PROBE_TIMEOUT_S`."""
    destination_of: Callable[[Any], str | None] = no_destination
    """The other side that an outside message is for; what is for one that is down waits without being tried."""
    apart: Mapping[type[Message], Apart] = field(default_factory=dict)
    """Commands and queries that are only ever called, and done with no connection to the database held."""
    connection_tests: Mapping[type[Query], ConnectionTester] = field(default_factory=dict)
    """Questions about the other side that go out to it: run with no connection to the database held."""
    routes: Sequence["Route"] = ()
    jobs: Sequence[Job] = ()
    signalled: Callable[[AbstractSet[str]], None] | None = None
    """Hears, without waiting, what `Transaction.signal` hinted at here or in another process. Hints may be lost."""
    loops: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=dict)
    """What has to run for ever in every process that hosts this component, by name."""
    is_partitioned: bool = False
    """Whether MYKEY_PARTITION_DATABASES gives partitions of its tables databases of their own (Database.away)."""
    calls_at_once: int = CALLS_AT_ONCE
    """The most calls of other processes in work here: more where a call waits for a person, at little cost."""
    stopping: Callable[[], None] | None = None
    """Told first when the process is to end: what waits for somebody outside is to wait no longer."""
    close: Callable[[], Awaitable[None]] | None = None
    only_asks: bool = False
    """Whether a process goes by this name, and its role, only to ask others: what is for it is not for this process."""


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

    def without_work(self) -> "Installed":
        """The same, which only does what it is asked for: no jobs, no pages."""

        def built(context: Context) -> Component:
            return replace(self.factory(context), routes=(), jobs=())

        return Installed(self.name, built)

    def only_asking(self) -> "Installed":
        """For a process that asks in the component's name, and works for it in nothing."""
        return Installed(self.name, lambda _: Component(name=self.name, only_asks=True))
