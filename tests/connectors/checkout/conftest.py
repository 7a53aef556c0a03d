"""The street, open for a test; with a citizen at a browser, too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connectors.checkout.buyers import BUYER, Buyer
from tests.connectors.checkout.shops import CITY, Shop, Street, points_in, street
from tests.connectors.portal.browser import Browser
from tests.connectors.portal.town import client
from tests.workers.registry.asking import ask
from tests.workers.registry.offices import authorities
from tests.workers.registry.people import created

DAY_LIMIT = 600


@pytest.fixture
async def open_street(database_url: str) -> AsyncIterator[Street]:
    async with street(database_url, checkout_points_a_day=DAY_LIMIT) as opened:
        yield opened


@pytest.fixture
def shop(open_street: Street) -> Shop:
    return open_street.party("shop")


@pytest.fixture
async def buyer(database_url: str, tmp_path: Path) -> AsyncIterator[Buyer]:
    issuer = authorities(tmp_path, 1)[0]
    async with street(database_url, "portal", card_anchors=tmp_path) as opened, client() as session:
        citizen_id = await created(opened.process, issuer.card(1), BUYER, base_lg_code=CITY)
        await ask(opened.process, points_in(citizen_id, "buyer"))
        yield Buyer(opened, citizen_id, Browser(session, opened.url))
