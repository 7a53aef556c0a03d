"""What the operators' door takes and answers about corrections of postings."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connectors.operations.shapes import Answer, ReasonAsked
from schemas.points import PostingStatus
from schemas.values import CommandId


class CorrectionState(StrEnum):
    """What was decided."""

    asked = "asked"
    approved = "approved"
    rejected = "rejected"


class CorrectionAsked(ReasonAsked):
    """Which posting was wrong: the party it was asked by, and that party's own id of it; and why it was wrong."""

    party_id: UUID
    command_id: CommandId


class Correction(Answer):
    """A request to reverse a posting; its kind and points are those that were found when it was asked for.

    `status` and `code` are the ledger's answer to an approved one. It is open until `closed_at`: rejected, or answered.
    """

    correction_id: UUID
    party_id: UUID
    command_id: str
    citizen_id: UUID
    kind: str
    points: int
    reason: str
    asked_by: str
    asked_at: datetime
    state: CorrectionState
    decided_by: str | None
    decided_at: datetime | None
    remark: str | None
    status: PostingStatus | None
    code: str | None
    closed_at: datetime | None


class CorrectionPage(Answer):
    """A page of requests, latest first; `next` is the cursor of the next one."""

    items: list[Correction]
    next: str | None = None
