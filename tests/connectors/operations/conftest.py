"""A database of the test's own, with the table that components of tests write to."""

from collections.abc import AsyncIterator

import pytest

from tests.hub.parts import Probe


@pytest.fixture
async def probe(database_url: str) -> AsyncIterator[Probe]:
    """What the test's components did, seen by the owner."""
    made = await Probe.at(database_url)
    yield made
    await made.connection.close()
