"""Layer 1: seeds of the simulator, each a run with faults that ends with every invariant holding."""

import os
import subprocess
import sys

import pytest

from tests.reliability.sim import play, quiet
from tests.reliability.sizes import SEEDS

HALVES = 2
LIMIT_S = 600


@pytest.mark.timeout(LIMIT_S)
def test_every_seed_ends_well() -> None:
    """In processes of their own, where the order of sets is the same in every run: a seed is exactly repeatable."""
    each = SEEDS // HALVES
    halves = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.sim", "--first", str(half * each), "--count", str(each)],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for half in range(HALVES)
    ]
    told = [half.communicate(timeout=LIMIT_S)[0] for half in halves]
    assert [half.returncode for half in halves] == [0] * HALVES, "\n".join(told)
    assert all(f"{each} seeds" in text and " 0 bad" in text for text in told), told


def test_a_seed_plays_the_same_run_again() -> None:
    quiet()
    first, again, other = play(11), play(11), play(12)
    assert first == again
    assert first.trace != other.trace
    assert first.faults > 0
    assert first.asked > 60
