"""Strangers' bytes for our parsers: a few examples with `make test`, a minute's with `make fuzz` (MYKEY_FUZZ_S)."""

import os
import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

FUZZ_S: Final = float(os.environ.get("MYKEY_FUZZ_S", "0"))
EXAMPLES: Final = 1000 if FUZZ_S else 50
_GRACE_S: Final = 120.0


def fuzzed(**strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """As hypothesis' `given`, but over and over again for MYKEY_FUZZ_S seconds, where that is set; no fixtures."""

    def decorate(test: Callable[..., None]) -> Callable[[], None]:
        once = given(**strategies)(
            settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))(test)
        )

        @pytest.mark.timeout(FUZZ_S + _GRACE_S)
        def until_the_time_is_over() -> None:
            end = time.monotonic() + FUZZ_S
            once()
            while time.monotonic() < end:
                once()

        until_the_time_is_over.__doc__ = test.__doc__
        return until_the_time_is_over

    return decorate
