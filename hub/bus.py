"""How anything outside a transaction asks a component: an answer means committed."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from schemas.message import Answered, Command

Answer = TypeVar("Answer")


class Bus(Protocol):
    """Calls are handed straight to a component of this process, or carried to another process and back.

    No answer (hub.errors.DeadlineExceededError) means unknown: asking again with the same id is safe.
    """

    async def call(self, message: Answered[Answer], deadline_s: float) -> Answer:
        """Ask one command or query; returns after its commit.

        Raises TransientError, UnroutableError, DeadlineExceededError.
        """

    async def call_many(self, messages: Sequence[Answered[Answer]], deadline_s: float) -> list[Answer]:
        """Ask many at once; answers in the order asked. Raises the first error after all have ended."""

    async def send(self, commands: Sequence[Command]) -> None:
        """Ask durably without waiting for the effect; returns when the asking is committed."""
