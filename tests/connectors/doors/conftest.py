"""The doors, open for all tests of a file, which run on one loop."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.connectors.doors.world import Doors, doors


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(shared_database_url: str) -> AsyncIterator[Doors]:
    """Its tests have `pytestmark = pytest.mark.asyncio(loop_scope="module")`."""
    async with doors(shared_database_url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def all_doors(opened: Doors) -> Doors:
    """With browsers at the counters that have not asked for anything yet."""
    await opened.open_counters()
    return opened
