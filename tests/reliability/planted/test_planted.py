"""The checker is not blind: every planted bug is caught within a few seeds, and by an invariant that names it."""

import pytest

from tests.reliability.planted.bugs import BUGS
from tests.reliability.sim import play, quiet

SEEDS_LIMIT = 200


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name: str) -> None:
    quiet()
    bug = BUGS[name]
    for seed in range(SEEDS_LIMIT):
        with bug.plant():
            played = play(seed)
        if bug.caught_by & {violation.invariant for violation in played.violations}:
            return
    pytest.fail(f"{SEEDS_LIMIT} seeds with {name}, and the checker saw nothing of {sorted(bug.caught_by)}")


def test_without_a_bug_the_same_seeds_are_clean() -> None:
    quiet()
    assert [play(seed).violations for seed in range(5)] == [[]] * 5
