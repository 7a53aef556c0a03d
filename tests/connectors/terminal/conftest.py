"""A hub that takes enrolments."""

from collections.abc import AsyncIterator

import pytest

from tests.connectors.terminal.enrolling import Office, office


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Office]:
    async with office(database_url) as made:
        yield made
