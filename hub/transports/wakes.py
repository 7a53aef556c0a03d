"""Hints between processes that there is something to do, by NOTIFY. Polling stands behind them."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

import structlog

from hub.database import UNREACHABLE, listening

log = structlog.get_logger()

CHANNEL: Final = "hub_wake"
PAUSE_S: Final = 0.005
"""Hints are gathered at least this long: NOTIFY takes a lock that all commits share."""
CHECK_S: Final = 5.0
"""How often an idle connection is tried out, in seconds."""
LISTEN_AGAIN_S: Final = 1.0
NAMES_LIMIT: Final = 90
"""The most names in one notification; its text may have 8,000 bytes."""


class WakeChannel:
    """Tells other processes names of what has something to do, and hears theirs."""

    def __init__(self, url: str, heard: Callable[[AbstractSet[str]], None]) -> None:
        self._url = url
        self._heard = heard
        self._names: set[str] = set()
        self._due = asyncio.Event()

    def tell(self, name: str) -> None:
        """Hint that there is something to do under this name."""
        self._names.add(name)
        self._due.set()

    async def run(self) -> None:
        """Tell and hear, for ever."""
        while True:
            try:
                async with listening(self._url, CHANNEL, lambda text: self._heard(set(text.split()))) as notify:
                    while True:
                        with suppress(TimeoutError):
                            async with asyncio.timeout(CHECK_S):
                                await self._due.wait()
                        await notify(" ".join(self._some_names()))
                        await asyncio.sleep(PAUSE_S)
            except UNREACHABLE as error:
                log.warning("wake_channel_lost", error=type(error).__qualname__)
                await asyncio.sleep(LISTEN_AGAIN_S)

    def _some_names(self) -> list[str]:
        names = sorted(self._names)[:NAMES_LIMIT]
        self._names.difference_update(names)
        if not self._names:
            self._due.clear()
        return names
