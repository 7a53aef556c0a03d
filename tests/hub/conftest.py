"""For all tests of the hub."""

from collections.abc import AsyncIterator

import pytest

from tests.hub.parts import Probe


@pytest.fixture
async def probe(database_url: str) -> AsyncIterator[Probe]:
    """What the test's components did, and the table they do it in."""
    made = await Probe.at(database_url)
    yield made
    await made.connection.close()
