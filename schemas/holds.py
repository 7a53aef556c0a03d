"""Points set aside: by a voucher, at a checkout, in a merge file. What all of them share."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Query, Said
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
    """The points are gone: a voucher nobody redeemed, or what came back after its citizen's MyKey ID had ended."""


class HoldView(Said):
    """A hold as it is shown. `points` were set aside, `left` still are; `refunded` of what was `taken` came back."""

    hold_id: UUID
    kind: HoldKind
    state: HoldState
    citizen_id: UUID
    counterparty_id: UUID
    pool: Pool
    points: int
    left: int
    taken: int = 0
    refunded: int = 0
    expires_at: datetime | None = None
    number: str | None = None
    lg_code: str = ""
    """Of a voucher and a merge: whose counter it was made at."""


class DueHold(Said):
    """An open hold whose time is over since `expires_at`."""

    hold_id: UUID
    citizen_id: UUID
    kind: HoldKind
    expires_at: datetime


class HoldPlace(Said):
    """A hold's place in a list by time: the cursor of such a list."""

    at: datetime
    hold_id: UUID


class DueHolds(Said):
    """One page of due holds, the longest due first; `after` is where the next page begins, None on the last one."""

    holds: list[DueHold]
    after: HoldPlace | None = None


class DueHoldsOf(Query, Answered[DueHolds]):
    """Which open holds of this partition has nobody taken in time?"""

    TYPE: ClassVar[str] = "jp.mykey.holds.due-holds-of.v1"
    partition: int
    after: HoldPlace | None = None
    limit: int = 500

    def key(self) -> UUID:
        """The partition."""
        return UUID(int=self.partition)


class FoundHold(Said):
    """The hold, or None."""

    hold: HoldView | None = None


class HoldOf(Query, Answered[FoundHold]):
    """How do these points stand that were set aside for this counterparty?"""

    TYPE: ClassVar[str] = "jp.mykey.holds.hold-of.v1"
    citizen_id: UUID
    counterparty_id: UUID
    hold_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id
