"""The conformance suite: every test here runs once for each transport."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

import pytest

from hub.process import HubProcess
from schemas.values import LANES
from tests.hub.parts import Probe, at_work
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.waiting import wait_until

TRANSPORTS: Final = ("postgres", "rabbitmq")

Ready: TypeAlias = Callable[[], Awaitable[None]]
Start: TypeAlias = Callable[..., AbstractAsyncContextManager[HubProcess]]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> dict[str, object]:
    """The settings of the transport under test."""
    if request.param == "postgres":
        return {}
    return {"transport": "rabbitmq", "amqp_url": request.getfixturevalue("amqp_url")}


@pytest.fixture
def ready(request: pytest.FixtureRequest, transport: dict[str, object], probe: Probe) -> Ready:
    """Wait until mail's lanes are all owned, and with a broker, have each their consumer."""

    async def owned() -> None:
        await wait_until(partial(owns_all, probe))
        if transport:
            vhost = unquote(urlsplit(str(transport["amqp_url"])).path[1:])
            await BrokerView(request.getfixturevalue("broker"), vhost).wait_for_consumers("mail")

    return owned


async def owns_all(probe: Probe) -> bool:
    """Whether each lane has an owner."""
    return sum((await probe.owners()).values()) == LANES


@pytest.fixture
def start(probe: Probe, transport: dict[str, object]) -> Start:
    """Start a process on the test's own database, as an async context manager."""
    return partial(at_work, probe.url, **transport)
