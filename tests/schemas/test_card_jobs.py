"""Whoever asked a terminal can say why nothing came of it, whatever that was."""

import pytest

from schemas.card_jobs import JobAnswer
from schemas.problems import REFUSALS, RefusalCode
from schemas.uplink import Outcome


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.done])
def test_every_way_in_which_a_job_ends_without_being_done_has_a_reason(outcome: Outcome) -> None:
    assert JobAnswer(outcome=outcome).reason in REFUSALS


def test_a_job_that_did_not_reach_its_end_tells_its_code() -> None:
    assert JobAnswer(code="terminal_away").reason == "terminal_away"
    assert JobAnswer().reason == RefusalCode.reader_failed
