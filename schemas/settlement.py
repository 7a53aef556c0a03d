"""Settlement (mission VI): summaries for a period, from the ledger's rollups."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from schemas.message import Answered, Query, Said
from schemas.values import LgCode, Pool


class SummaryLine(Said):
    """`transfers` and `points` of one kind between a municipality and a counterparty in one pool.

    `lg_code` is None for points that went to reserve: their municipality is not chosen yet.
    """

    kind: str
    lg_code: LgCode | None
    counterparty_id: UUID
    pool: Pool
    transfers: int
    points: int


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
