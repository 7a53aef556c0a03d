"""Settlement (mission VI): summaries for a period, from the ledger's rollups, and the details they add up from.

Four views: a partner's own (画面80–82), a municipality's side towards partners (83–84) and towards places (85–86),
and a place's own (87–88). A place is whom a municipality owes: a store, a museum, an online shop, a street.
"""

from datetime import date
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import Field

from schemas.message import Answered, Query, Said
from schemas.values import CommandId, LgCode, Pool

DETAILS_LIMIT = 5_000

PARTNER_KINDS: Final = frozenset({"credit", "coupon", "move", "sweep"})
"""The kinds of the lines that stand between a partner and a municipality; so do corrections that reverse one."""


class SummaryLine(Said):
    """What of one kind passed between a municipality and a counterparty in one pool.

    `lg_code` is None for points that went to reserve: their municipality is not chosen yet. `transactions` counts
    commands (取引回数); `transfers` the lots that they took from or put into. `direction` is 1 where `points` adds to
    what the two settle, −1 where it subtracts (a refund, a correction), 0 where nothing is settled: points set aside,
    given back or expired. `reverses` is the kind that a correction takes back.
    """

    kind: str
    lg_code: LgCode | None
    counterparty_id: UUID
    pool: Pool
    transfers: int
    points: int
    transactions: int
    direction: int
    reverses: str | None = None


class Summary(Said):
    """The lines of a period, first to last day inclusive, Asia/Tokyo."""

    first: date
    last: date
    lines: list[SummaryLine]


class PartnerSummaryOf(Query, Answered[Summary]):
    """応援ポイント移行集計 (画面80): what came in from this partner, and which municipalities it reached."""

    TYPE: ClassVar[str] = "jp.mykey.settlement.partner-summary-of.v1"
    party_id: UUID
    first: date
    last: date

    def key(self) -> UUID:
        """The partner."""
        return self.party_id


class MunicipalSummaryOf(Query, Answered[Summary]):
    """The municipality's side (画面83, 85): what partners owe it, and what it owes its stores."""

    TYPE: ClassVar[str] = "jp.mykey.settlement.municipal-summary-of.v1"
    lg_code: LgCode
    first: date
    last: date

    def key(self) -> UUID:
        """Nothing in particular."""
        return UUID(int=int(self.lg_code))


class StoreSummaryOf(Query, Answered[Summary]):
    """自治体ポイント集計, the place's own (画面87): what municipalities owe this store, shop or street."""

    TYPE: ClassVar[str] = "jp.mykey.settlement.store-summary-of.v1"
    store_id: UUID
    first: date
    last: date

    def key(self) -> UUID:
        """The store."""
        return self.store_id


class PlaceLine(Said):
    """One place: how many transactions (取引回数) with how many points, and what of it was given back.

    `points` is what remains to be paid: `used` less `returned`. Transactions and returns count by pool: one use that
    takes points of two pools together (`UseTogether`) is two.
    """

    place_id: UUID
    transactions: int
    used: int
    returns: int
    returned: int
    points: int


class PlaceSummary(Said):
    """One line a place, by its id, and the totals of all; transactions count by pool, as in the lines."""

    first: date
    last: date
    places: list[PlaceLine]
    transactions: int
    points: int


class PlaceSummaryOf(Query, Answered[PlaceSummary]):
    """自治体ポイント集計 (画面85): a municipality's points by place; one place, or all of them."""

    TYPE: ClassVar[str] = "jp.mykey.settlement.place-summary-of.v1"
    lg_code: LgCode
    first: date
    last: date
    place_id: UUID | None = None

    def key(self) -> UUID:
        """Nothing in particular."""
        return UUID(int=int(self.lg_code))


class PartnerView(Said):
    """A partner's own details (参考82)."""

    kind: Literal["partner"] = "partner"
    party_id: UUID


class MunicipalPartnersView(Said):
    """A municipality's details towards partners (参考84)."""

    kind: Literal["municipal_partners"] = "municipal_partners"
    lg_code: LgCode


class MunicipalPlacesView(Said):
    """A municipality's details towards places (参考86); of one place where it is given."""

    kind: Literal["municipal_places"] = "municipal_places"
    lg_code: LgCode
    place_id: UUID | None = None


class StoreView(Said):
    """A place's own details (参考88)."""

    kind: Literal["store"] = "store"
    store_id: UUID


View = Annotated[PartnerView | MunicipalPartnersView | MunicipalPlacesView | StoreView, Field(discriminator="kind")]


class DetailPlace(Said):
    """How far details were read: up to and including this transaction."""

    day: date
    partition: int
    block: int
    number: int


class DetailLine(Said):
    """What one transaction did in one pool for one counterparty; the fields are those of SummaryLine.

    `transaction_id` is the ledger's own name for it, `command_id` the party's that asked for it, unless that is the
    citizen.
    """

    day: date
    transaction_id: str
    command_id: CommandId | None
    kind: str
    reverses: str | None
    direction: int
    points: int
    lg_code: LgCode | None
    pool: Pool
    counterparty_id: UUID


class Details(Said):
    """A page, by day; `after` asks for the next one, None on the last."""

    lines: list[DetailLine]
    after: DetailPlace | None


class DetailsOf(Query, Answered[Details]):
    """「明細ダウンロード」: the transactions behind a summary, page by page; all pages add up to it.

    A page ends after the transaction with which it reaches `limit` lines; it may be short, or even empty, and yet have
    an `after`.
    """

    TYPE: ClassVar[str] = "jp.mykey.settlement.details-of.v1"
    view: View
    first: date
    last: date
    after: DetailPlace | None = None
    limit: Annotated[int, Field(ge=1, le=DETAILS_LIMIT)] = 1_000

    def key(self) -> UUID:
        """Nothing in particular."""
        return UUID(int=0)
