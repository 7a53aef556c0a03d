"""The street, open for a test."""

from collections.abc import AsyncIterator

import pytest

from tests.connectors.checkout.shops import Shop, Street, street

DAY_LIMIT = 600


@pytest.fixture
async def open_street(database_url: str) -> AsyncIterator[Street]:
    async with street(database_url, checkout_points_a_day=DAY_LIMIT) as opened:
        yield opened


@pytest.fixture
def shop(open_street: Street) -> Shop:
    return open_street.party("shop")
