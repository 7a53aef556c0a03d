"""A batch's results: what is written is what the document of the API says, to the letter."""

from datetime import date

import pytest

from connectors.partner.items import Fault
from connectors.partner.pipeline import ItemOutcome
from connectors.partner.shapes import TransferResults, results_text
from schemas.points import PostingStatus
from schemas.problems import RefusalCode

DAY = date(2017, 10, 1)
FAULTS = (Fault("points", RefusalCode.bad_points), Fault("", RefusalCode.unknown_field))


@pytest.mark.parametrize(
    "outcome",
    [
        ItemOutcome("t-1", PostingStatus.posted, 1_000, DAY, replayed=False),
        ItemOutcome("t-1", PostingStatus.posted, 1_000, DAY, replayed=True),
        ItemOutcome("t-1", PostingStatus.posted, 1_000, None, replayed=False),
        ItemOutcome("t-1", PostingStatus.refused, 0, DAY, replayed=False, faults=FAULTS[:1]),
        ItemOutcome("t-1", PostingStatus.refused, 0, DAY, replayed=True, faults=FAULTS),
        ItemOutcome("\u3042 1", PostingStatus.refused, 0, None, replayed=False, faults=FAULTS),
        ItemOutcome(None, PostingStatus.refused, 0, None, replayed=False, faults=FAULTS),
    ],
)
def test_a_result_is_written_as_its_model_writes_it(outcome: ItemOutcome) -> None:
    text = results_text([outcome])
    read = TransferResults.model_validate_json(text)
    assert text == read.model_dump_json().encode()
    (result,) = read.results
    fields = ("transfer_id", "status", "points", "posted_on", "replayed")
    assert [getattr(result, name) for name in fields] == [getattr(outcome, name) for name in fields]
    assert result.code == outcome.code
    assert [one.code for one in result.errors or ()] == [fault.code for fault in outcome.faults]


def test_an_error_points_to_its_item() -> None:
    fine = ItemOutcome("t-1", PostingStatus.posted, 1_000, DAY, replayed=False)
    bad = ItemOutcome("t-2", PostingStatus.refused, 0, DAY, replayed=False, faults=FAULTS)
    first, second = TransferResults.model_validate_json(results_text([fine, bad])).results
    assert first.errors is None
    assert [one.pointer for one in second.errors or ()] == ["/transfers/1/points", "/transfers/1"]
