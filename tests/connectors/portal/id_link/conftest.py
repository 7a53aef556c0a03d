"""The street of partners, open for all tests of a file."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors.portal.id_link.parties import Parties, parties


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parties]:
    """Its tests run on one loop: `pytestmark = pytest.mark.asyncio(loop_scope="module")`."""
    async with parties(shared_database_url, tmp_path_factory.mktemp("street")) as opened:
        yield opened
