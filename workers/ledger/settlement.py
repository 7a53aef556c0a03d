"""Settlement summaries (mission VI), from the rollups that every batch keeps exact."""

from collections.abc import Sequence

from hub.database import Row
from hub.transaction import Reading
from schemas.settlement import MunicipalSummaryOf, PartnerSummaryOf, Summary, SummaryLine
from workers.ledger import statements
from workers.ledger.accounts import Kind


async def partner_summary_of(query: PartnerSummaryOf, reading: Reading) -> Summary:
    """応援ポイント移行集計 (画面80): credits by this partner, and where its reserve points went."""
    rows = await reading.fetch(statements.SUMMARY_OF_PARTNER, query.party_id, query.first, query.last)
    return Summary(first=query.first, last=query.last, lines=_lines(rows))


async def municipal_summary_of(query: MunicipalSummaryOf, reading: Reading) -> Summary:
    """The municipality's two sides (画面83, 85): what partners owe it, and what it owes its stores."""
    rows = await reading.fetch(statements.SUMMARY_OF_MUNICIPALITY, query.lg_code, query.first, query.last)
    return Summary(first=query.first, last=query.last, lines=_lines(rows))


def _lines(rows: Sequence[Row]) -> list[SummaryLine]:
    return [
        SummaryLine(
            kind=Kind(row["kind"]).name,
            lg_code=row["lg_code"] or None,
            counterparty_id=row["counterparty_id"],
            pool=row["pool"],
            transfers=row["transfers"],
            points=row["points"],
        )
        for row in rows
    ]
