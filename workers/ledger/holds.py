"""Holds, coupons and originals as the book knows them: plain values, no SQL."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from uuid import UUID

from schemas.holds import HoldKind, HoldState, HoldView
from workers.ledger.accounts import Contra, LotKey, Move

UNTIL_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class Part(NamedTuple):
    """Points of a hold that came from one lot."""

    lot: LotKey
    points: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Points set aside. `parts` are what was taken from which lot, in the order in which they go."""

    hold_id: UUID
    kind: HoldKind
    state: HoldState
    citizen_id: UUID
    counterparty_id: UUID
    lg_code: str
    pool: str
    points: int
    left: int
    taken: int
    refunded: int
    expires_at: datetime | None
    number: str | None
    check_code: str | None
    parts: tuple[Part, ...]
    is_new: bool = True

    @property
    def account(self) -> Contra:
        """The account that holds the points: one per kind and pool."""
        return Contra(self.kind.value, None, self.pool)

    def resolved(self, state: HoldState, taken: int = 0) -> "Hold":
        """The hold once it is resolved: nothing is left in it."""
        return replace(self, state=state, left=0, taken=taken)

    def refund(self, points: int) -> "Hold":
        """The hold once so many more points of what was taken came back."""
        return replace(self, refunded=self.refunded + points)

    def terms(self) -> bytes:
        """SHA-256 over what a hold never changes, for the chain (docs/contracts/ledger.md); not its check code."""
        until = "" if self.expires_at is None else self.expires_at.astimezone(UTC).strftime(UNTIL_FORMAT)
        parts = (f"{part.lot.expires_on}/{part.lot.origin.hex}/{part.points}" for part in self.parts)
        fields = (
            self.hold_id.hex, self.kind.value, self.citizen_id.hex, self.counterparty_id.hex, self.lg_code, self.pool,
            str(self.points), until, self.number or "", *parts,
        )  # fmt: skip
        return hashlib.sha256("\t".join(fields).encode()).digest()

    def view(self) -> HoldView:
        """The hold as it is shown; never the check code."""
        return HoldView(
            hold_id=self.hold_id,
            kind=self.kind,
            state=self.state,
            citizen_id=self.citizen_id,
            counterparty_id=self.counterparty_id,
            pool=self.pool,
            points=self.points,
            left=self.left,
            taken=self.taken,
            refunded=self.refunded,
            expires_at=self.expires_at,
            number=self.number,
            lg_code=self.lg_code,
        )


class CouponRow(NamedTuple):
    """A coupon, and who used it."""

    points: int
    pool: str
    last: date
    used_by: UUID | None


@dataclass(frozen=True, slots=True)
class Original:
    """A posting that is to be corrected: its moves, whether its kind can be reversed, whether it already was."""

    citizen_id: UUID
    points: int
    moves: tuple[Move, ...]
    reversible: bool
    corrected: bool

    def lots(self) -> set[LotKey]:
        """The citizen's lots that it touched."""
        return {account for move in self.moves for account in move[:2] if isinstance(account, LotKey)}
