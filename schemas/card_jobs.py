"""What a component asks of a terminal: a card's proof, a number, one handed on, files; and what is told of terminals.

The asking is by `bus.call` alone, and takes as long as a person does: give it `ask.deadline_s`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID, uuid4

from pydantic import Field

from schemas.cards import CardProof, How
from schemas.message import Answered, Command, Event, Query, Said
from schemas.problems import RefusalCode
from schemas.terminals import terminal_key
from schemas.uplink import (
    JOB_LIMIT_S,
    MERGE_FILES_LIMIT,
    CardNumber,
    Dropped,
    MergeFile,
    MergeFileAnswer,
    Outcome,
    Purpose,
    Target,
    Typed,
)
from schemas.values import NO_ORIGIN, TerminalId

ANSWER_MARGIN_S: Final = 10.0
TERMINALS_LIMIT: Final = 2_000


_REASONS: Final[Mapping[Outcome, RefusalCode]] = {
    Outcome.no_card: RefusalCode.no_card,
    Outcome.not_jpki: RefusalCode.not_jpki,
    Outcome.wrong_pin: RefusalCode.pin_wrong,
    Outcome.blocked: RefusalCode.pin_blocked,
    Outcome.removed: RefusalCode.card_removed,
    Outcome.cancelled: RefusalCode.read_cancelled,
    Outcome.expired: RefusalCode.read_timeout,
    Outcome.reader_failed: RefusalCode.reader_failed,
    Outcome.busy: RefusalCode.terminal_busy,
    Outcome.not_handed_on: RefusalCode.not_handed_on,
    Outcome.signature_password_wrong: RefusalCode.signature_password_wrong,
    Outcome.signature_password_blocked: RefusalCode.signature_password_blocked,
}
"""How a job ended → what a person is told; all ways but `done`."""


class JobAnswer(Said):
    """How a job ended. `code` (schemas.problems) says why it did not reach its end: then there is no outcome.

    `terminal_away`: the terminal's agent is not connected. `terminal_gone`: it was lost while the job was under way,
    or the process of ours that it is connected to is to end.
    """

    outcome: Outcome | None = None
    code: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether all went well."""
        return self.outcome is Outcome.done

    @property
    def reason(self) -> str:
        """Why it is not done: a code of schemas.problems."""
        if self.outcome is None or self.is_done:
            return self.code or RefusalCode.reader_failed
        return _REASONS[self.outcome]


class CardAnswer(JobAnswer):
    """`proof` is there where the job is done, and proves nothing yet: the registry verifies it (schemas.cards)."""

    proof: CardProof | None = None
    tries_left: int | None = None
    """After a wrong PIN, or a wrong password of the signature certificate."""


class NumberAnswer(JobAnswer):
    """`number` is there where the job is done."""

    number: CardNumber | None = None
    source: Literal["felica", "typed"] | None = None


class Ask(Command):
    """For one operation at one terminal. A caller that waits no longer has the job taken back.

    The same `ask_id` again is the same job, to whichever process it comes: no person is asked twice.
    """

    PERSONAL: ClassVar[bool] = True
    ask_id: UUID = Field(default_factory=uuid4)
    terminal_id: TerminalId
    operation_id: UUID
    """What the caller is about: a card belongs to the operation that asked for it last."""
    limit_s: Annotated[float, Field(gt=0, le=JOB_LIMIT_S)] = 60.0

    @property
    def deadline_s(self) -> float:
        """How long to wait for the answer, at the most."""
        return self.limit_s + ANSWER_MARGIN_S

    def key(self) -> UUID:
        """The operation."""
        return self.operation_id


class ReadCard(Ask, Answered[CardAnswer]):
    """Have the card in the terminal's reader prove itself, for this purpose alone (`schemas.uplink.CardJob`).

    `again` is the proof's insertion of an earlier job of the same operation: the very card must still be in.
    """

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.read-card.v1"
    purpose: Purpose
    how: How = "pin"
    again: UUID | None = None
    address_change: bool = False


class ReadNumber(Ask, Answered[NumberAnswer]):
    """Take the number of the street's or library's card that is read next (画面22, 37)."""

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.read-number.v1"


class HandNumberOn(Ask, Answered[JobAnswer]):
    """Hand a service ID's number to the program beside the agent (画面25–27, 番号通知方式; `NotifyJob`)."""

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.hand-number-on.v1"
    number: CardNumber
    method: Literal["keyboard", "clipboard", "file", "url"]
    prefix: Typed = ""
    suffix: Typed = ""
    enter: bool = True
    clear_after_s: Annotated[int, Field(ge=1, le=300)] = 20
    target: Target = ""


class ReleaseCard(Ask, Answered[JobAnswer]):
    """The operation is over: what it still asks of a person ends, and the card forgets its PIN.

    Done too where the terminal holds nothing of this operation: it is away, or another operation has asked since.
    """

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.release-card.v1"
    limit_s: Annotated[float, Field(gt=0, le=JOB_LIMIT_S)] = 10.0


class DropAnswer(JobAnswer):
    """Where the job is done, `files` has a word for each. `code` merge_folder_none: there is no folder for any."""

    files: list[Dropped] = Field(default_factory=list)


class DropMergeFiles(Ask, Answered[DropAnswer]):
    """Put merge files into the folder of the street's program beside the agent (画面39; `MergeFilesJob`)."""

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.drop-merge-files.v1"
    limit_s: Annotated[float, Field(gt=0, le=JOB_LIMIT_S)] = 15.0
    files: Annotated[list[MergeFile], Field(min_length=1, max_length=MERGE_FILES_LIMIT)]


class MergeFilesAnswered(Event):
    """The street's program beside a terminal's agent has answered merge files. It may be said more than once.

    A reason is the street's own words, which may name somebody.
    """

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.merge-files-answered.v1"
    PERSONAL: ClassVar[bool] = True
    terminal_id: TerminalId
    answers: list[MergeFileAnswer]

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class CardRemoved(Event):
    """A card was taken out of a terminal's reader, or its agent was lost: what was shown because of it must go."""

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.card-removed.v1"
    terminal_id: TerminalId
    insertion: UUID

    def key(self) -> UUID:
        """The terminal."""
        return terminal_key(self.terminal_id)


class Presence(Said):
    """Whether a terminal's agent is connected, since when; `seen` is when it last was."""

    connected: bool
    since: datetime
    seen: datetime
    has_reader: bool
    insertion: UUID | None
    """Of the card that is in; of several, the one that came last."""
    merge_folder: str | None = None
    """Whether it has a folder for merge files: `ready`, or what troubles it (`schemas.uplink.MergeTrouble`)."""


class Presences(Said):
    """By terminal ID; a terminal that was never there is not among them."""

    terminals: dict[str, Presence]


class PresenceOf(Query, Answered[Presences]):
    """Which of these terminals are connected?"""

    TYPE: ClassVar[str] = "jp.mykey.card-jobs.presence-of.v1"
    terminal_ids: Annotated[list[TerminalId], Field(max_length=TERMINALS_LIMIT)]

    def key(self) -> UUID:
        """Nothing in particular."""
        return NO_ORIGIN
