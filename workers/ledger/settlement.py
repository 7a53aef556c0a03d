"""Settlement summaries (mission VI), from the rollups that every batch keeps exact.

Vouchers count when they are redeemed: what was issued and never redeemed is settled with nobody. Refunds and
corrections are lines of their own that subtract.
"""

from collections.abc import Sequence
from typing import Final

from hub.database import Row
from hub.transaction import Reading
from schemas.settlement import (
    MunicipalSummaryOf,
    PartnerSummaryOf,
    PlaceLine,
    PlaceSummary,
    PlaceSummaryOf,
    StoreSummaryOf,
    Summary,
    SummaryLine,
)
from schemas.values import NO_ORIGIN
from workers.ledger import settlement_statements as statements
from workers.ledger.accounts import Kind

PARTNER_KINDS: Final = (Kind.credit, Kind.coupon, Kind.move, Kind.sweep, -Kind.credit, -Kind.move)
"""What stands between a partner and a municipality; negative: a correction of that kind."""
PLACE_KINDS: Final = (Kind.use, Kind.use_together, Kind.voucher_redeem, Kind.capture, Kind.merge_acknowledge)
"""What a municipality owes a place: a store, a shop, a street."""
PLACE_RETURN_KINDS: Final = (int(Kind.refund), -Kind.use)
"""What a place gave back."""

_ADDING: Final = frozenset((*(kind for kind in PARTNER_KINDS if kind > 0), *PLACE_KINDS, Kind.grant))


def direction_of(kind: int) -> int:
    """1 where the points add to what is settled with a counterparty, −1 where they subtract, 0 where nothing is."""
    if kind < 0 or kind == Kind.refund:
        return -1
    return 1 if kind in _ADDING else 0


def named(kind: int) -> tuple[str, str | None]:
    """A rollup's kind by name, and of a correction the kind it reverses."""
    return (Kind.correct.name, Kind(-kind).name) if kind < 0 else (Kind(kind).name, None)


def numbered(kind: str, reverses: str | None) -> int:
    """What `named` has named."""
    return int(Kind[kind]) if reverses is None else -int(Kind[reverses])


async def partner_summary_of(query: PartnerSummaryOf, reading: Reading) -> Summary:
    """応援ポイント移行集計 (画面80): what came in from this partner, and where its reserve points went.

    What the partner owes a municipality is the sum of the lines with its `lg_code`.
    """
    rows = await reading.fetch(statements.SUMMARY_OF_COUNTERPARTY, query.party_id, query.first, query.last)
    return Summary(first=query.first, last=query.last, lines=_lines(rows))


async def store_summary_of(query: StoreSummaryOf, reading: Reading) -> Summary:
    """自治体ポイント集計 (画面87): what this store, shop or street took in, by municipality and pool."""
    rows = await reading.fetch(statements.SUMMARY_OF_COUNTERPARTY, query.store_id, query.first, query.last)
    return Summary(first=query.first, last=query.last, lines=_lines(rows))


async def municipal_summary_of(query: MunicipalSummaryOf, reading: Reading) -> Summary:
    """The municipality's two sides (画面83, 85): what partners owe it, and what it owes its stores."""
    rows = await reading.fetch(statements.SUMMARY_OF_MUNICIPALITY, query.lg_code, query.first, query.last)
    return Summary(first=query.first, last=query.last, lines=_lines(rows))


async def place_summary_of(query: PlaceSummaryOf, reading: Reading) -> PlaceSummary:
    """自治体ポイント集計 (画面85): place by place, how many transactions with how many points."""
    rows = await reading.fetch(
        statements.SUMMARY_BY_PLACE, query.lg_code, query.first, query.last, PLACE_KINDS, PLACE_RETURN_KINDS,
        query.place_id, NO_ORIGIN,
    )  # fmt: skip
    places = [PlaceLine(**dict(row), points=row["used"] - row["returned"]) for row in rows]
    return by_place(query, places)


def by_place(query: PlaceSummaryOf, places: list[PlaceLine]) -> PlaceSummary:
    """These lines, and the totals of all."""
    return PlaceSummary(
        first=query.first,
        last=query.last,
        places=places,
        transactions=sum(place.transactions for place in places),
        points=sum(place.points for place in places),
    )


def _lines(rows: Sequence[Row]) -> list[SummaryLine]:
    return [_line(row) for row in rows]


def _line(row: Row) -> SummaryLine:
    kind, reverses = named(row["kind"])
    return SummaryLine(
        kind=kind,
        lg_code=row["lg_code"] or None,
        counterparty_id=row["counterparty_id"],
        pool=row["pool"],
        transfers=row["transfers"],
        points=row["points"],
        transactions=row["transactions"],
        # The rest of an order that was captured in part went back to its lots: settled with nobody.
        direction=0 if row["counterparty_id"] == NO_ORIGIN else direction_of(row["kind"]),
        reverses=reverses,
    )
