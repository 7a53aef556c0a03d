"""The town, open for a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.clock import AdjustableClock
from tests.connectors.portal.town import NOW, Town, town


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock(NOW)


@pytest.fixture
async def portal_town(database_url: str, tmp_path: Path, clock: AdjustableClock) -> AsyncIterator[Town]:
    async with town(database_url, tmp_path, clock) as opened:
        yield opened
