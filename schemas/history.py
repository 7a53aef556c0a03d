"""What the ledger tells of the past: a citizen's history, a balance as of a day, where spent points came from."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Query, Said
from schemas.points import Lot
from schemas.values import CommandId, Pool

HISTORY_LIMIT = 200


class HistoryPlace(Said):
    """Where a posting stands in the books of its citizen: the cursor of a history."""

    block: int
    number: int


class PoolChange(Said):
    """What a posting did to one pool: points in (positive) or out (negative), and the usable points right after it.

    Points past their last day stop counting at midnight, before their expiry is posted: then `balance` is less than
    the one before plus `change`, and the expiry's own entry leaves it as it is.
    """

    pool: Pool
    change: int
    balance: int


class HistoryEntry(Said):
    """One posting. `kind` is the ledger's word for it; `points` is what the command was about.

    `changes` is empty, or of 0 points, where what was set aside before is settled now (a voucher redeemed, an order
    captured whole).
    `counterparties` are the partners, programmes, stores, shops or streets it came from or went to. `command_id` is
    there for the citizen's own commands only: what others call theirs is not the citizen's to see.
    """

    place: HistoryPlace
    kind: str
    posted_on: date
    points: int
    changes: list[PoolChange]
    counterparties: list[UUID]
    hold_id: UUID | None
    command_id: CommandId | None


class History(Said):
    """A page, newest first; `after` asks for the next one, None on the last."""

    entries: list[HistoryEntry]
    after: HistoryPlace | None


class HistoryOf(Query, Answered[History]):
    """What happened to this citizen's points (画面52–56)? With `pool`, only postings that have to do with that pool.

    What such a posting did to other pools is told too: where reserve points went.

    A page with `pool` may be short, or even empty, and yet have an `after`: other pools' postings were passed over.
    """

    TYPE: ClassVar[str] = "jp.mykey.points.history-of.v1"
    citizen_id: UUID
    pool: Pool | None = None
    after: HistoryPlace | None = None
    limit: Annotated[int, Field(ge=1, le=HISTORY_LIMIT)] = 50

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class BalancesAsOf(Said):
    """Usable points at the end of `day`, by pool and by lot, earliest expiry first."""

    day: date
    by_pool: dict[str, int]
    lots: list[Lot]


class BalanceAsOf(Query, Answered[BalancesAsOf]):
    """What did this citizen hold at the end of that business day? Today, or a day to come, is answered as of now."""

    TYPE: ClassVar[str] = "jp.mykey.points.balance-as-of.v1"
    citizen_id: UUID
    day: date

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class Origin(Said):
    """Points that came in by one posting: of a partner (`credit`, `coupon`) or a programme (`grant`)."""

    kind: str
    party_id: UUID
    command_id: CommandId
    posted_on: date
    points: int


class Provenance(Said):
    """Where the points that a posting moved came from, oldest in the wallet first; their sum is `points`.

    Empty, with 0 points, for a command that is not known, was refused, or moved nothing.
    """

    kind: str | None
    points: int
    origins: list[Origin]


class ProvenanceOf(Query, Answered[Provenance]):
    """From which transfers of partners and programmes did the points of this posting come, through every move?

    The rule is first in, first out within a lot (workers/ledger/provenance.py).
    """

    TYPE: ClassVar[str] = "jp.mykey.points.provenance-of.v1"
    party_id: UUID
    command_id: CommandId

    def key(self) -> UUID:
        """The party."""
        return self.party_id
