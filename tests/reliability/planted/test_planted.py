"""The checker is not blind: every planted bug is caught within a few seeds, and by an invariant that names it."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.reliability.planted.bugs import BUGS
from tests.reliability.sim import play, quiet
from tests.reliability.workload import PLAIN

SEEDS_LIMIT = 200
ORDERS: Final[Mapping[str, float]] = {"to_pool": 8, "authorise": 6, "capture": 8, "refund": 8, "void": 1}
ASKED: Final[Mapping[str, Mapping[str, float]]] = {
    "coupon_not_locked": {"to_pool": 5, "use": 5, "coupon": 5},
    "order_kept_beyond_its_time": ORDERS,
    "refund_forgets_the_last_one": ORDERS,
    "revoked_citizen_goes_on": {"to_pool": 5, "use": 5, "revoke": 1},
}
"""Bug → what is asked, so that it need not be waited for; else what has no state but lots."""


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name: str) -> None:
    quiet()
    bug = BUGS[name]
    for seed in range(SEEDS_LIMIT):
        with bug.plant():
            played = play(seed, ASKED.get(name, PLAIN))
        if bug.caught_by & {violation.invariant for violation in played.violations}:
            return
    pytest.fail(f"{SEEDS_LIMIT} seeds with {name}, and the checker saw nothing of {sorted(bug.caught_by)}")


def test_without_a_bug_the_same_seeds_are_clean() -> None:
    quiet()
    assert [play(seed).violations for seed in range(5)] == [[]] * 5
