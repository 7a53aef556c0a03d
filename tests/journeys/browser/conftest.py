"""The demo, started once for all browser tests, and Debian's Chromium; where that is not here, one line says so."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser.browsing import MISSING, chromium, is_here
from tests.journeys.browser.site import Site, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What `make run` starts, with a small world."""
    if not is_here():
        pytest.skip(MISSING)
    with running_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


@pytest.fixture(scope="session")
def chromium_browser() -> Iterator[Browser]:
    """One browser; each test has windows of its own."""
    if not is_here():
        pytest.skip(MISSING)
    with chromium() as browser:
        yield browser
