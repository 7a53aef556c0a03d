"""Whether a posting could be corrected, for whoever is about to ask for it."""

from hub.database import Row
from hub.transaction import Reading
from schemas.corrections import Original, OriginalOf
from schemas.problems import RefusalCode
from workers.ledger import history_statements as statements
from workers.ledger.accounts import Kind
from workers.ledger.operations import REVERSIBLE


async def original_of(query: OriginalOf, reading: Reading) -> Original:
    """The posting of this id; what it says of a correction is what decide/correct.py says, but for the balance."""
    row = await reading.fetch_row(statements.ORIGINAL, query.party_id, query.command_id)
    if row is None:
        return Original(code=RefusalCode.no_posting)
    return Original(
        citizen_id=row["citizen_id"], kind=Kind(row["kind"]).name, points=row["points"], code=_refusal_of(row)
    )


def _refusal_of(row: Row) -> str | None:
    if row["corrected"]:
        return RefusalCode.corrected_before
    return None if Kind(row["kind"]) in REVERSIBLE else RefusalCode.not_correctable
