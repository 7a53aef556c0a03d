"""What the operators' door takes and answers; the terminal program speaks the same."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.operations.acts import Act, Role
from connectors.operations.operators import Operator
from hub.outages import Outage
from hub.store import ParkedGroup, StoredMessage, WaitingDelivery
from schemas.values import IssuerId
from schemas.webhooks import Webhooks

TEXT_LIMIT_CHARS: Final = 500
FINGERPRINT: Final = r"^[0-9a-f]{12}$"

_LINE: Final = r"[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*"
Line = Annotated[str, StringConstraints(max_length=TEXT_LIMIT_CHARS, pattern=f"^{_LINE}$")]
"""One line of text, maybe empty; for colleagues, so without personal data."""
Reason = Annotated[
    str, StringConstraints(max_length=TEXT_LIMIT_CHARS, pattern=rf"^{_LINE}[^\p{{Cc}}\p{{Cf}}\p{{Z}}]{_LINE}$")
]
"""The same, not blank."""
OperatorName = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9._-]{0,31}$")]
Fingerprint = Annotated[str, StringConstraints(strict=True, pattern=FINGERPRINT)]


class Asked(BaseModel):
    """Anything that is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """Anything that is answered."""

    model_config = ConfigDict(frozen=True)


# ---------------------------------------------------------------------------------------------------- what flows


class ReceiverFlow(Answer):
    """What flows to one receiver: a component, its outside commands (`mail.outside`), its calls (`ledger.calls`).

    `oldest` is since when the oldest delivery that is due waits; `held` waits for another side that is down; rates and
    times are of the last ten seconds, the times from said to done.
    """

    receiver: str
    due: int = 0
    scheduled: int = 0
    held: int = 0
    parked: int = 0
    oldest: datetime | None = None
    in_work: int = 0
    done_per_s: float = 0.0
    failed_per_s: float = 0.0
    critical_p50_ms: float | None = None
    critical_p99_ms: float | None = None


class Pause(Answer):
    """A component is paused."""

    component: str
    operator: str
    reason: str
    since: datetime


class ComponentFlow(Answer):
    """A component: in how many processes it works, whether it is paused, what flows to it."""

    component: str
    processes: int
    paused: Pause | None
    receivers: list[ReceiverFlow]


class Complaint(Answer):
    """What so many processes say is wrong with the way between processes."""

    complaint: str
    processes: int


class Flow(Answer):
    """What flows, in all processes together."""

    at: datetime
    complaints: list[Complaint]
    components: list[ComponentFlow]


# ------------------------------------------------------------------------------------------------ what is parked


class Note(Answer):
    """What a colleague wrote about a kind of failure."""

    fingerprint: str
    at: datetime
    operator: str
    note: str


class Group(Answer):
    """Parked messages of one kind of failure at one receiver, and the notes on that failure, latest first."""

    group: ParkedGroup
    notes: list[Note]


class OutageList(Answer):
    """Other sides that are down, latest first, then the latest that were."""

    items: list[Outage]


class Groups(Answer):
    """What is parked, the most frequent failure first."""

    items: list[Group]


class GroupDetail(Answer):
    """One kind of failure: its groups by receiver, the first deliveries; `/deliveries` has all."""

    items: list[Group]
    deliveries: list[WaitingDelivery]


# ---------------------------------------------------------------------------------------------------------- acts


class ReasonAsked(Asked):
    """An act that needs a reason."""

    reason: Reason


class RemarkAsked(Asked):
    """An act that may be given a reason."""

    reason: Line = ""


class RedriveAsked(RemarkAsked):
    """Let one delivery, all of one kind of failure, or all that is parked be tried afresh."""

    delivery: int | None = Field(None, ge=1, strict=True)
    fingerprint: Fingerprint | None = None
    all: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _names_one(self) -> "RedriveAsked":
        if (self.delivery is not None) + (self.fingerprint is not None) + self.all != 1:
            raise ValueError("name a delivery, or a fingerprint, or all")
        return self


class Redrive(Answer):
    """How far a redrive is: so many of so many deliveries are tried afresh."""

    redrive_id: UUID
    done: int
    total: int
    finished: bool


class WebhookPage(Webhooks):
    """A party's endpoint, and a page of what it was told; `next` is the cursor of the next one."""

    next: str | None = None


class ReplayAsked(RemarkAsked):
    """Have a party told again: one event, or all that it has not taken."""

    party_id: UUID
    event_id: UUID | None = None
    undelivered: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _names_one(self) -> "ReplayAsked":
        if (self.event_id is not None) + self.undelivered != 1:
            raise ValueError("name an event, or all that is undelivered")
        return self


class Replayed(Answer):
    """It is asked for; how far it is tells the whole way of this message."""

    message_id: UUID


class NoteAsked(Asked):
    """A note on one delivery, or on all failures of a kind."""

    note: Reason
    delivery: int | None = Field(None, ge=1, strict=True)
    fingerprint: Fingerprint | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "NoteAsked":
        if (self.delivery is None) == (self.fingerprint is None):
            raise ValueError("name a delivery or a fingerprint")
        return self


class Noted(Answer):
    """The note is kept."""

    note: str


class CopyAsked(ReasonAsked):
    """An edited body: all of it, as the message type has it."""

    data: dict[str, Any]


class Copied(Answer):
    """The copy, which these receivers get instead of the original."""

    copy_id: UUID
    original_id: UUID
    receivers: list[str]


class Resumed(Answer):
    """A component goes on."""

    component: str


class ConnectionAsked(RemarkAsked):
    """Which connection to test; a partner's and a shop's need the party, a library's the issuer."""

    party_id: UUID | None = None
    issuer_id: IssuerId | None = None


class OperatorAsked(RemarkAsked):
    """A new operator."""

    name: OperatorName
    role: Role


class OperatorAdded(Answer):
    """The token is shown this once."""

    name: str
    role: Role
    token: str


class OperatorRevoked(Answer):
    """The token opens nothing any more."""

    name: str


class OperatorList(Answer):
    """All there are and were, by name."""

    items: list[Operator]


class MessagePage(Answer):
    """A page of messages, latest first; `next` is the cursor of the next one."""

    items: list[StoredMessage]
    next: str | None = None


class DeliveryPage(Answer):
    """A page of deliveries, in their order; `next` is the cursor of the next one."""

    items: list[WaitingDelivery]
    next: str | None = None


class ActPage(Answer):
    """A page of the audit, latest first; `next` is the cursor of the next one."""

    items: list[Act]
    next: str | None = None
