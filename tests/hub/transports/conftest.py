"""The conformance suite: every test here runs once for each transport."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, TypeAlias

import pytest

from hub.process import HubProcess
from tests.hub.parts import Probe, at_work

TRANSPORTS: Final = ("postgres", "rabbitmq")

Start: TypeAlias = Callable[..., AbstractAsyncContextManager[HubProcess]]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> dict[str, object]:
    """The settings of the transport under test."""
    if request.param == "postgres":
        return {}
    return {"transport": "rabbitmq", "amqp_url": request.getfixturevalue("amqp_url")}


@pytest.fixture
def start(probe: Probe, transport: dict[str, object]) -> Start:
    """Start a process on the test's own database, as an async context manager."""
    return partial(at_work, probe.url, **transport)
