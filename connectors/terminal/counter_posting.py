"""What an operation has posted, under ids that are its own: an answer that was lost is asked for again.

An id has one outcome for ever. So where an amount was refused the next one has the next id; one whose outcome is not
known is never followed by another.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

from connectors.terminal.counter_reasons import refused
from hub.bus import Bus
from schemas.points import OutcomesOf, PostingAnswer, PostingCommand
from schemas.problems import RefusalCode

DEADLINE_S: Final = 10.0
ATTEMPTS_LIMIT: Final = 20
"""Amounts tried in one operation."""


class Posted(NamedTuple):
    """What was posted, and under which id."""

    attempt: int
    command_id: str
    answer: PostingAnswer


def command_id_of(operation_id: UUID, attempt: int) -> str:
    """The party's own id of it, which a receipt shows."""
    return f"{operation_id.hex}.{attempt}"


async def post(bus: Bus, operation_id: UUID, make: Callable[[int], PostingCommand]) -> Posted:
    """Post what `make` makes of the number of an attempt. Raises ProblemError where it is refused."""
    for attempt in range(ATTEMPTS_LIMIT):
        command = make(attempt)
        answer = await bus.call(command, DEADLINE_S)
        if answer.code is None:
            return Posted(attempt, command.command_id, answer)
        if answer.code == RefusalCode.id_conflict:
            if await posted(bus, command.party_id, operation_id) is not None:
                raise refused(RefusalCode.done_before)
        elif not answer.replayed:
            raise refused(answer.code)
    raise refused(RefusalCode.operation_over)


async def posted(bus: Bus, party_id: UUID, operation_id: UUID) -> Posted | None:
    """What the operation has posted; None where that is nothing."""
    attempts = {command_id_of(operation_id, attempt): attempt for attempt in range(ATTEMPTS_LIMIT)}
    found = await bus.call(OutcomesOf(party_id=party_id, command_ids=list(attempts)), DEADLINE_S)
    done = [
        Posted(attempts[one.command_id], one.command_id, one.answer)
        for one in found.outcomes
        if one.answer.code is None
    ]
    return done[0] if done else None
