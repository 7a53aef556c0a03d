"""The `postgres` transport: hints by NOTIFY, calls by rows, messages read from the store. Nothing to install."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from hub.outbox import ToDo
from hub.tracing import Trace
from hub.transports.port import Hosting, Loop
from hub.transports.postgres_calls import PostgresCalls
from hub.transports.remote_calls import RemoteCalls
from hub.transports.wakes import WakeChannel
from schemas.message import Message


class PostgresTransport:
    """See hub.transports.port.Transport."""

    def __init__(self, hosting: Hosting) -> None:
        self.remote = RemoteCalls(hosting.process_id, hosting.keys, hosting.serve)
        self._receivers_heard = hosting.heard
        self._wakes = WakeChannel(hosting.wake_url, self._heard)
        self.calls = PostgresCalls(
            self.remote, hosting.database, hosting.components, self._wakes.tell, hosting.calls_at_once
        )

    def loops(self) -> Mapping[str, Loop]:
        """See Transport."""
        return {"wakes": self._wakes.run, "calls": self.calls.run}

    def arrivals(self, _receiver: str, _wake: Callable[[int], bool]) -> None:
        """See Transport: nothing is brought, all is read."""

    def hint(self, receiver: str) -> None:
        """Tell other processes that this receiver has something to do."""
        self._wakes.tell(receiver)

    def signal(self, name: str) -> None:
        """See Transport."""
        self._wakes.tell(name)

    def tell(self, todo: ToDo) -> None:
        """See Transport."""
        for receiver, _lane in todo:
            self.hint(receiver)

    async def ask(self, receiver: str, messages: Sequence[Message], trace: Trace, deadline_s: float) -> list[Any]:
        """See Transport."""
        async with self.remote.asking(receiver, messages, trace, deadline_s) as asked:
            await self.calls.carry(asked)
            return await self.remote.answers_to(asked, messages)

    def stop_taking(self) -> None:
        """See Transport."""
        self.calls.stop_taking()

    async def finish(self) -> None:
        """See Transport."""
        await self.calls.finish()

    def complaint(self) -> str | None:
        """See Transport: PostgreSQL itself is looked at elsewhere."""
        return None

    def _heard(self, names: AbstractSet[str]) -> None:
        self._receivers_heard(names)
        self.calls.heard(names)
