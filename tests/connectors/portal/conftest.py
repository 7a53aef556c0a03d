"""The town, open for a test, or for all tests of a file that leave it as it is for the others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hub.clock import AdjustableClock
from tests.connectors.portal.street import Parties, parties
from tests.connectors.portal.town import NOW, Town, town


@pytest.fixture
def clock() -> AdjustableClock:
    return AdjustableClock(NOW)


@pytest.fixture
async def portal_town(database_url: str, tmp_path: Path, clock: AdjustableClock) -> AsyncIterator[Town]:
    async with town(database_url, tmp_path, clock) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_town(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Its tests run on one loop: `pytestmark = pytest.mark.asyncio(loop_scope="module")`."""
    async with town(shared_database_url, tmp_path_factory.mktemp("town")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parties]:
    """The town with partners, in the same way."""
    async with parties(shared_database_url, tmp_path_factory.mktemp("street")) as opened:
        yield opened
