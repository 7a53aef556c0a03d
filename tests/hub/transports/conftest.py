"""Every test here runs once for each transport."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, TypeAlias

import pytest

from hub.process import HubProcess
from tests.hub.parts import Probe, at_work

TRANSPORTS: Final[dict[str, dict[str, object]]] = {"postgres": {}}
"""Transport → the settings that choose it."""

Start: TypeAlias = Callable[..., AbstractAsyncContextManager[HubProcess]]


@pytest.fixture(params=list(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> dict[str, object]:
    """The settings of the transport under test."""
    return TRANSPORTS[request.param]


@pytest.fixture
def start(probe: Probe, transport: dict[str, object]) -> Start:
    """Start a process on the test's own database, as an async context manager."""
    return partial(at_work, probe.url, **transport)
