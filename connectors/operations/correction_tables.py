"""How the terminal program prints corrections."""

from collections.abc import Sequence
from typing import Final

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from connectors.operations import tables
from connectors.operations.correction_shapes import Correction, CorrectionState
from schemas.points import PostingStatus
from schemas.problems import Refusal

STYLES: Final = {
    CorrectionState.asked: tables.WARN,
    CorrectionState.approved: "",
    CorrectionState.rejected: tables.QUIET,
}


def corrections_table(found: Sequence[Correction]) -> RenderableType:
    """Requests, a line each, with what was decided and what the ledger said."""
    if not found:
        return Text("no correction is asked for", tables.GOOD)
    made = tables.table("id", "state", "party", "posting", "kind", "points", "citizen", "asked", "decided", "answer")
    for one in found:
        made.add_row(
            Text(str(one.correction_id), "bold"),
            Text(one.state.value, STYLES[one.state]),
            Text(str(one.party_id)),
            Text(one.command_id),
            Text(one.kind),
            Text(f"{one.points:,}"),
            Text(str(one.citizen_id)),
            Text(f"{tables.clock(one.asked_at)} {one.asked_by}: {one.reason}"),
            Text(_decided(one)),
            _answer(one),
        )
    return made


def correction_shown(one: Correction) -> RenderableType:
    """One request, and what there is to say of it."""
    if one.state is CorrectionState.asked:
        said = Text(f"asked for; somebody else decides: `approve-correction {one.correction_id}`", tables.WARN)
    elif one.state is CorrectionState.rejected:
        said = Text("rejected: nothing is corrected")
    elif one.code is not None:
        said = Text(f"approved, and refused by the ledger: {Refusal.of(one.code).detail}", tables.BAD)
    else:
        said = Text(f"corrected: {one.points:,} points went the other way", tables.GOOD)
    return Lines(corrections_table([one]), said)


def _decided(one: Correction) -> str:
    if one.decided_at is None:
        return ""
    return f"{tables.clock(one.decided_at)} {one.decided_by}" + (f": {one.remark}" if one.remark else "")


def _answer(one: Correction) -> Text:
    if one.status is None:
        return Text("" if one.state is not CorrectionState.approved else "not yet", tables.WARN)
    return Text(one.code or one.status.value, tables.GOOD if one.status is PostingStatus.posted else tables.BAD)
