"""One site and one pass through all screens for the whole folder: starting and looking is what takes time."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser.browsing import MISSING, TAKES_PICTURES, chromium, is_here
from tests.journeys.browser.passing import Results, walk_all
from tests.journeys.browser.pictures import picture_docs
from tests.journeys.browser.site import Site, running_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The portal as `make run` starts it; it needs no browser."""
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def walked(request: pytest.FixtureRequest) -> Results:
    """What was found on all walks, at both widths."""
    if not is_here():
        pytest.skip(MISSING)
    results = walk_all(request.getfixturevalue("site"))
    if TAKES_PICTURES:
        picture_docs()
    return results


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a file; each has windows of its own."""
    if not is_here():
        pytest.skip(MISSING)
    with chromium() as running:
        yield running
