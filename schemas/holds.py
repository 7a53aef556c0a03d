"""Points set aside: by a voucher, at a checkout, in a merge file. What all of them share."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from schemas.points import PostingCommand
from schemas.message import Said
from schemas.values import Pool


class HoldKind(StrEnum):
    """What points are set aside for."""

    voucher = "voucher"
    checkout = "checkout"
    merge = "merge"


class HoldState(StrEnum):
    """Where a hold stands; it is resolved once."""

    open = "open"
    taken = "taken"
    """Redeemed, captured or acknowledged: settled with the counterparty."""
    returned = "returned"
    """Voided, expired at a checkout, or sent back by the street: the points are the citizen's again."""
    expired = "expired"
    """A voucher nobody redeemed: the points are gone."""


class HoldView(Said):
    """A hold as it is shown. `points` were set aside, `left` still are; `refunded` of what was taken came back."""

    hold_id: UUID
    kind: HoldKind
    state: HoldState
    citizen_id: UUID
    counterparty_id: UUID
    pool: Pool
    points: int
    left: int
    refunded: int = 0
    expires_at: datetime | None = None
    number: str | None = None


class HoldCommand(PostingCommand):
    """What commands about a hold share; `hold_id` is the caller's, unique for ever."""

    hold_id: UUID
