"""A report against the wrong person: two citizens linked one after the other at one terminal (mission §3).

Most of the wrong links of 2023 were made at a terminal where the citizen before was not logged out.
"""

from datetime import timedelta
from typing import Final

from hub.clock import start_of_day
from hub.database import Row
from hub.transaction import Reading
from schemas.service_ids import CLOSE_LIMIT_S, CloseLinks, LinkedClose, LinkedCloseTogether, Linking
from workers.registry import service_id_statements as sql

PAIRS_LIMIT: Final = 1_000


async def linked_close_together(query: LinkedCloseTogether, reading: Reading) -> LinkedClose:
    """For staff to look at; a link whose time is just before the first day counts as the first of a pair."""
    first, end = start_of_day(query.first), start_of_day(query.last + timedelta(days=1))
    within = timedelta(seconds=CLOSE_LIMIT_S)
    rows = await reading.fetch(sql.LINKED_CLOSE, query.lg_code, first, end, within, PAIRS_LIMIT + 1)
    return LinkedClose(pairs=[_pair(row) for row in rows[:PAIRS_LIMIT]], more=len(rows) > PAIRS_LIMIT)


def _pair(row: Row) -> CloseLinks:
    def linking(citizen: str, issuer: str, operation: str, time: str) -> Linking:
        return Linking(citizen_id=row[citizen], issuer_id=row[issuer], operation_id=row[operation], linked_at=row[time])

    return CloseLinks(
        terminal_id=row["terminal_id"],
        first=linking("citizen_before", "issuer_before", "operation_before", "time_before"),
        second=linking("citizen_id", "issuer_id", "operation_id", "registered_at"),
    )
