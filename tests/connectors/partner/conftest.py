"""The town, open for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.connectors.partner.town import Partner, Town, town


@pytest.fixture
async def hub_town(database_url: str) -> AsyncIterator[Town]:
    async with town(database_url) as opened:
        yield opened


@pytest.fixture
def airline(hub_town: Town) -> Partner:
    return hub_town.partner("airline")


@pytest.fixture
def card_company(hub_town: Town) -> Partner:
    return hub_town.partner("card")
