"""One pass through all walks, at both widths side by side: wide with scripts, narrow without."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Error

from tests.journeys.browser.browsing import PICTURES, Width, chromium, walking
from tests.journeys.browser.site import Site
from tests.journeys.browser.walks import WALKS

WINDOWS: Final[tuple[tuple[Width, bool], ...]] = ((1280, True), (390, False))
MESSAGE_LIMIT_CHARS: Final = 500


@dataclass(frozen=True)
class Found:
    """What one walk found: faults, and the pages that it saw with their screen numbers."""

    faults: list[str]
    seen: dict[str, str]


Results = dict[tuple[str, Width], Found]


def walk_all(site: Site) -> Results:
    """All walks in all windows. A walk that breaks off is a fault of its own."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    with ThreadPoolExecutor(len(WINDOWS)) as pool:
        parts = pool.map(lambda turn: _walk(site, turn), range(len(WINDOWS)))
    return {key: found for part in parts for key, found in part.items()}


def _walk(site: Site, turn: int) -> Results:
    width, scripts = WINDOWS[turn]
    results: Results = {}
    with chromium() as browser:
        for name, walk in WALKS.items():
            with walking(browser, site.url, width, scripts=scripts) as walker:
                try:
                    walk(walker, site.people, turn)
                except Error as error:
                    walker.faults.append(f"broke off at {walker.page.url}: {str(error)[:MESSAGE_LIMIT_CHARS]}")
                results[name, width] = Found(walker.faults, walker.seen)
    return results


def numbers_of(results: Results, width: Width) -> set[int]:
    """The source's screens (画面n) that were seen at this width."""
    return {
        number
        for (_, one), found in results.items()
        if one == width
        for numbers in found.seen.values()
        for number in _numbers(numbers)
    }


def _numbers(text: str) -> Iterator[int]:
    for first, last in re.findall(r"(\d+)(?:–(\d+))?", text):
        yield from range(int(first), int(last or first) + 1)
