"""A history in which one id and one hash stand for two requests proves nothing, and the checker says so."""

import pytest

from tests.reliability.checker import World, check
from tests.reliability.history import Asked, History
from tests.reliability.snapshot import Snapshot
from tests.workers.ledger.world import RULES, citizen, refusal

EMPTY = Snapshot({}, [], [], [], [], [], [], [], [], [], [], [], [], {})
ONE, OTHER = refusal("c1", citizen(1)), refusal("c1", citizen(2))


def test_two_requests_with_one_id_and_one_hash_are_the_callers_mistake() -> None:
    alike = OTHER.model_copy(update={"request_hash": ONE.request_hash})
    with pytest.raises(AssertionError, match="own mistake"):
        check(History([Asked(ONE, None), Asked(alike, None)]), EMPTY, World(RULES))


def test_a_request_again_and_another_one_under_its_id_are_what_callers_do() -> None:
    history = History([Asked(ONE, None), Asked(ONE, None), Asked(OTHER, None)])
    assert check(history, EMPTY, World(RULES)) == []
