"""Is the library system there? A connection of its own, beside the one in use: log in, ask how it is; of no patron."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from connectors.library.conversation import ClosedError, Line, LineLostError, LoginRefusedError
from connectors.library.sites import Sites
from hub.clock import Clock
from schemas.connections import ConnectionStep, ConnectionTested, LibraryReached
from schemas.libraries import LibrarySite

SUPPORTED_LIMIT_CHARACTERS: Final = 16


class Reaching:
    """Tries the way to one library system, step by step."""

    def __init__(self, sites: Sites, clock: Clock) -> None:
        self._sites = sites
        self._clock = clock

    async def __call__(self, query: LibraryReached) -> ConnectionTested:
        """Ends with the first step that fails."""
        site = await self._sites.of(query.issuer_id)
        found = "" if site is not None else "no site is registered for this issuer"
        steps = [ConnectionStep(name="site registered", ok=site is not None, detail=found)]
        if site is not None:
            await self._try(site, steps)
        return ConnectionTested(steps=steps)

    async def _try(self, site: LibrarySite, steps: list[ConnectionStep]) -> None:
        lines: list[Line] = []

        async def connect() -> str:
            lines.append(await Line.connect(site, self._clock))
            return ""

        async def log_in() -> str:
            await lines[0].log_in()
            return "" if site.login else "no login is registered: left out"

        async def status() -> str:
            supported = (await lines[0].status()).fields.get("BX", "")[:SUPPORTED_LIMIT_CHARACTERS]
            return f"answers to {supported}" if supported.isalpha() and supported.isascii() else ""

        place = f"{site.host}:{site.port}, {site.security}, {site.charset}"
        try:
            for name, attempt in ((f"connect ({place})", connect), ("log in (93)", log_in), ("status (99)", status)):
                steps.append(await _step(name, attempt))
                if not steps[-1].ok:
                    return
        finally:
            for line in lines:
                line.close()


async def _step(name: str, attempt: Callable[[], Awaitable[str]]) -> ConnectionStep:
    """One step; the other side's free text is left behind, as it may say anything."""
    began_s = time.monotonic()
    try:
        detail, ok = await attempt(), True
    except (OSError, TimeoutError, LineLostError, LoginRefusedError, ClosedError) as error:
        detail, ok = type(error).__name__, False
    return ConnectionStep(name=name, ok=ok, detail=detail, took_ms=round((time.monotonic() - began_s) * 1e3, 1))
