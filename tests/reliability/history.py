"""What the callers know: every command asked, when, and what came back. Timeouts and cut connections are `None`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from schemas.points import PostingAnswer, PostingCommand

Key: TypeAlias = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """One command asked once; `answer` is None where nothing came back, so that its effect is unknown."""

    command: PostingCommand
    answer: PostingAnswer | None

    @property
    def key(self) -> Key:
        """The idempotency key."""
        return self.command.party_id, self.command.command_id


@dataclass(slots=True)
class History:
    """All that was asked in a run, and the totals that were seen on the way."""

    asked: list[Asked] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    """The sum over all accounts, each seen in one snapshot during the run: always 0 (I9)."""
    unclassified: list[str] = field(default_factory=list)
    """What came out of a call and was neither an answer nor worth another try: each is a defect."""
    final: dict[Key, PostingAnswer] = field(default_factory=dict)
    """The final reads: what the ledger says became of each key."""
    faults: int = 0
    """How many faults there were; without any, nothing is done twice."""
    heal_to_drained_s: float = 0.0
    posted: set[Key] = field(default_factory=set)
    """What the callers know to be posted."""

    def record(self, command: PostingCommand, answer: PostingAnswer | None) -> None:
        """Keep one more."""
        self.asked.append(Asked(command, answer))
        if answer is not None and answer.code is None:
            self.posted.add(self.asked[-1].key)

    def asked_keys(self) -> Sequence[Key]:
        """Every idempotency key asked, once, in the order first asked."""
        return list(dict.fromkeys(asked.key for asked in self.asked))
