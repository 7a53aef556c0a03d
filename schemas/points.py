"""What is asked of the ledger, and what it says has happened. Every command names a citizen."""

from datetime import date
from enum import StrEnum
from typing import ClassVar, Final, Self
from uuid import UUID, uuid5

from pydantic import Field, model_validator

from schemas.holds import HoldView
from schemas.ids import Id
from schemas.message import Answered, Command, Event, Query, Said
from schemas.values import CommandId, LgCode, Points, Pool

NAMESPACE: Final = UUID("6d796b65-7968-5562-8c0d-6c6564676572")


class PostingStatus(StrEnum):
    """How a command ended, for ever."""

    posted = "posted"
    refused = "refused"


class PostingAnswer(Said):
    """The one outcome of a command.

    `balances` are the citizen's, by pool touched, in points, after it; `replayed` tells that this very command had
    been decided before.
    """

    status: PostingStatus
    code: str | None = None
    points: int = 0
    balances: dict[str, int] = Field(default_factory=dict)
    posted_on: date
    replayed: bool = False
    hold: HoldView | None = None
    """The hold as it stands now, where the command is about one."""


class PostingCommand(Command, Answered[PostingAnswer]):
    """What all ledger commands share.

    (`party_id`, `command_id`) is the idempotency key, for ever; `request_hash` (16 bytes) tells the same request from
    another one under the same id.
    """

    party_id: Id
    command_id: CommandId
    request_hash: bytes
    citizen_id: Id

    def key(self) -> UUID:
        """The citizen: the ledger's partition."""
        return self.citizen_id

    def business_key(self) -> str | None:
        """The caller's own id."""
        return self.command_id


class HoldCommand(PostingCommand):
    """What commands about points set aside share; `hold_id` is the caller's, unique for ever."""

    hold_id: Id


class CreditPoints(PostingCommand):
    """A partner moves points in: to reserve, a scheme or an event (mission II.①)."""

    TYPE: ClassVar[str] = "jp.mykey.points.credit.v1"
    pool: Pool
    points: Points


class MovePoints(PostingCommand):
    """The citizen moves reserve points to a scheme or an event (画面41–51).

    `points`, or with `at_most` as many of them as are there; the answer's `points` tell what was moved.
    """

    TYPE: ClassVar[str] = "jp.mykey.points.move.v1"
    pool: Pool
    points: Points
    at_most: bool = False


class SweepReserve(PostingCommand):
    """Reserve points past their holding period move to the base municipality's scheme by themselves.

    `day`: before it there is no answer but that it is to be asked again.
    """

    TYPE: ClassVar[str] = "jp.mykey.points.sweep-reserve.v1"
    pool: Pool
    day: date | None = None


class UsePoints(PostingCommand):
    """Points are used at a counter (画面28–31): at a store of municipality `lg_code`.

    `points`, or with `at_most` as many of them as are there; the answer's `points` tell what was taken.
    """

    TYPE: ClassVar[str] = "jp.mykey.points.use.v1"
    pool: Pool
    points: Points
    store_id: Id
    lg_code: LgCode
    at_most: bool = False


class ExpirePoints(PostingCommand):
    """Municipal and event points past their expiry date expire.

    `day`: before it there is no answer but that it is to be asked again.
    """

    TYPE: ClassVar[str] = "jp.mykey.points.expire.v1"
    day: date | None = None


class RecordRefusal(PostingCommand):
    """A request that its door had to refuse is kept, so that its id has the same outcome for ever.

    Where the request names no known citizen, `citizen_id` is derived from the command id (`nobody`).
    """

    TYPE: ClassVar[str] = "jp.mykey.points.record-refusal.v1"
    code: str


def nobody(party_id: UUID, command_id: str) -> UUID:
    """A stand-in citizen id for a request that names no citizen we know; the same for the same request."""
    return uuid5(NAMESPACE, f"{party_id}:{command_id}")


class PointsEvent(Event):
    """What all events about a citizen's points share; `balance` is the pool's, after it."""

    citizen_id: Id
    party_id: Id
    command_id: str
    pool: Pool
    points: int
    balance: int
    posted_on: date

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id

    def business_key(self) -> str | None:
        """The caller's own id."""
        return self.command_id


class PointsCredited(PointsEvent):
    """Points came in from a partner; `expires_on` is their last day, or for reserve points the last day held."""

    TYPE: ClassVar[str] = "jp.mykey.points.credited.v1"
    expires_on: date


class PointsMoved(PointsEvent):
    """Reserve points went to `pool`, by the citizen or (`by_itself`) after the holding period."""

    TYPE: ClassVar[str] = "jp.mykey.points.moved.v1"
    expires_on: date
    by_itself: bool


class PointsUsed(PointsEvent):
    """Points were used at a store."""

    TYPE: ClassVar[str] = "jp.mykey.points.used.v1"
    store_id: Id


class PointsExpired(PointsEvent):
    """Points expired."""

    TYPE: ClassVar[str] = "jp.mykey.points.expired.v1"


class Lot(Said):
    """Points of one pool with one expiry date; `expires_on` is the last day (date.max: never)."""

    pool: Pool
    expires_on: date
    points: int


class Expiring(Said):
    """So many points have their last day on `last` (date.max: never); reserve points move by themselves after it."""

    last: date
    points: int


class PoolBalance(Said):
    """One pool: points that can be used, points set aside, and the last days ahead, earliest first.

    The points of `expiring` add up to `active`, those that never expire included.
    """

    pool: Pool
    active: int
    held: int
    expiring: list[Expiring]


class Balances(Said):
    """A citizen's usable points by pool, the lots they consist of, earliest expiry first, and what is set aside.

    `pools` says the same by pool, every pool in which something is usable or set aside.
    """

    by_pool: dict[str, int]
    lots: list[Lot]
    held: list[HoldView] = Field(default_factory=list)
    pools: list[PoolBalance] = Field(default_factory=list)


class BalanceOf(Query, Answered[Balances]):
    """What does this citizen hold?"""

    TYPE: ClassVar[str] = "jp.mykey.points.balance-of.v1"
    citizen_id: UUID

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class UsableAt(Said):
    """The pools of which something can be used there, in the order of `Balances.pools`."""

    pools: list[PoolBalance]


class UsableAtOf(Query, Answered[UsableAt]):
    """Which of this citizen's points does a counter of this municipality take today (画面29, 32, 37)?"""

    TYPE: ClassVar[str] = "jp.mykey.points.usable-at-of.v1"
    citizen_id: UUID
    lg_code: LgCode

    def key(self) -> UUID:
        """The citizen."""
        return self.citizen_id


class Outcome(Said):
    """What became of a command of a party."""

    command_id: str
    citizen_id: UUID
    answer: PostingAnswer


class Outcomes(Said):
    """The outcomes found, in no order; ids never heard of are missing."""

    outcomes: list[Outcome]


class OutcomesOf(Query, Answered[Outcomes]):
    """What became of these commands of this party?"""

    TYPE: ClassVar[str] = "jp.mykey.points.outcomes-of.v1"
    party_id: UUID
    command_ids: list[CommandId]

    def key(self) -> UUID:
        """The party."""
        return self.party_id


class DueKind(StrEnum):
    """Why a citizen's lot is due."""

    sweep = "sweep"
    expire = "expire"


class DueLot(Said):
    """A citizen's lot whose last day is `expires_on`."""

    citizen_id: UUID
    pool: Pool
    expires_on: date
    points: int


class DueLots(Said):
    """One page of due lots, by last day and citizen.

    `day` and `after` are where the next page begins: behind this citizen on that day; None on the last page. A page may
    have no lots, and yet not be the last one.
    `opened_until`: the lots from this number on are not looked at, for they were opened since.
    """

    lots: list[DueLot]
    after: UUID | None
    day: date | None = None
    opened_until: int | None = None


class DueLotsOf(Query, Answered[DueLots]):
    """Which lots of this partition have their last day from `first` to `last`, about `limit` a page?

    A citizen's lots that end on one day come on one page. `day` and `after` come from the page before. With
    `came_back_since`, lots that ended before `first` too, from the first on that points came back to since that day.
    Up to the last day `known_until`, only lots from the number `opened_from` on; none from `opened_until` on, which
    comes from the page before too.
    """

    TYPE: ClassVar[str] = "jp.mykey.points.due-lots-of.v1"
    partition: int
    kind: DueKind
    first: date
    last: date
    after: UUID | None = None
    day: date | None = None
    limit: int = 500
    came_back_since: date | None = None
    known_until: date | None = None
    opened_from: int | None = None
    opened_until: int | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.after is None) != (self.day is None):
            raise ValueError("the page before ended with a day and a citizen")
        return self

    def key(self) -> UUID:
        """The partition."""
        return UUID(int=self.partition)


class PoolTotals(Said):
    """Points held, by pool and group."""

    totals: dict[str, int]


class HeldByPool(Query, Answered[PoolTotals]):
    """How many points do all citizens hold, by pool?"""

    TYPE: ClassVar[str] = "jp.mykey.points.held-by-pool.v1"

    def key(self) -> UUID:
        """Nothing in particular."""
        return UUID(int=0)


class HeldIn(Query, Answered[PoolTotals]):
    """How many points of `pool` does each of these citizens hold? Keyed by the citizen id's text."""

    TYPE: ClassVar[str] = "jp.mykey.points.held-in.v1"
    pool: Pool
    citizen_ids: list[UUID]

    def key(self) -> UUID:
        """Nothing in particular."""
        return UUID(int=0)
