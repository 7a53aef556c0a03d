"""One connection for each library, kept open for the next question and closed when nobody asks."""

import asyncio
from typing import Final

import structlog

from connectors.library.conversation import (
    ClosedError,
    Line,
    LineLostError,
    LoginRefusedError,
    NotUnderstoodError,
    Patron,
)
from hub.clock import Clock
from hub.errors import NoAnswerError, OutsideDownError, PermanentError
from schemas.libraries import LibrarySite

IDLE_LIMIT_S: Final = 60.0
DOWN_S: Final = 5.0
"""How long a library is left alone after it could not be reached."""
STRAGGLERS_S: Final = 1.0
"""How long questions that waited for the connection are not tried after that."""

log = structlog.get_logger()


class LibraryDownError(OutsideDownError):
    """The library system cannot be connected to."""


class LibraryLoginError(OutsideDownError):
    """The library system does not let us in: mend the login by registering its site again."""


class LibraryClosedError(OutsideDownError):
    """The library system says of itself that it is not at work."""


class LibraryAnswerError(PermanentError):
    """The library's answer does not say whether there is such a patron: mend its site's charset, then redrive."""

    answered = True


def destination_of(issuer_id: str) -> str:
    """How an outage of this library is called."""
    return f"library:{issuer_id}"


class _Kept:
    """One library's connection, and who waits for it."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.line: Line | None = None
        self.idle: asyncio.TimerHandle | None = None
        self.down: OutsideDownError | None = None
        self.down_until_s = 0.0

    def hang_up(self) -> None:
        if self.idle is not None:
            self.idle.cancel()
        if self.line is not None:
            self.line.close()
        self.idle = self.line = None


class Lines:
    """At most one connection a library in this process, one question at a time."""

    def __init__(self, clock: Clock, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self._clock = clock
        self._idle_limit_s = idle_limit_s
        self._kept: dict[str, _Kept] = {}

    async def patron(self, site: LibrarySite, number: str) -> Patron:
        """Whether this library knows the number.

        Raises:
            OutsideDownError: it is not reached, does not let us in, or is closed: no question is worth a try now.
            NoAnswerError: no answer in time, twice nonsense, or the connection was lost twice.
            LibraryAnswerError: an answer that does not tell.
        """
        kept = self._kept.setdefault(site.issuer_id, _Kept())
        async with kept.turn:
            line = self._usable(kept, site)
            if line is not None:
                try:
                    return await self._ask(kept, line, number)
                except NoAnswerError:
                    log.info("library_line_was_stale", issuer_id=site.issuer_id)
            kept.line = await self._open(kept, site)
            return await self._ask(kept, kept.line, number)

    async def close(self) -> None:
        """Hang up everywhere."""
        for kept in self._kept.values():
            kept.hang_up()

    def _usable(self, kept: _Kept, site: LibrarySite) -> Line | None:
        if kept.idle is not None:
            kept.idle.cancel()
        line = kept.line
        if line is not None and not (line.is_open and line.site == site):
            kept.hang_up()
        return kept.line

    async def _ask(self, kept: _Kept, line: Line, number: str) -> Patron:
        answered = False
        try:
            patron = await line.patron(number)
            answered = True
        except (LineLostError, TimeoutError) as error:
            destination = destination_of(line.site.issuer_id)
            raise NoAnswerError(f"SIP2: {type(error).__name__}", destination=destination) from None
        except NotUnderstoodError:
            answered = True
            raise LibraryAnswerError(f"issuer {line.site.issuer_id}") from None
        finally:
            if answered:
                kept.idle = asyncio.get_running_loop().call_later(self._idle_limit_s, kept.hang_up)
            else:  # also where nobody waits any longer: what comes would be taken for the next one's answer
                kept.hang_up()
        return patron

    async def _open(self, kept: _Kept, site: LibrarySite) -> Line:
        left_s = kept.down_until_s - self._clock.monotonic()
        if kept.down is not None and left_s > 0:
            raise type(kept.down)(destination=destination_of(site.issuer_id), retry_after_s=left_s)
        try:
            line = await opened(site, self._clock)
        except (OSError, TimeoutError, LineLostError, LoginRefusedError, ClosedError) as error:
            kept.down = down_error(site, error)
            kept.down_until_s = self._clock.monotonic() + STRAGGLERS_S
            log.warning("library_not_reached", issuer_id=site.issuer_id, error=type(error).__name__)
            raise kept.down from None
        kept.down = None
        return line


async def opened(site: LibrarySite, clock: Clock) -> Line:
    """A connection on which patrons can be asked for.

    Raises OSError, TimeoutError, LineLostError, LoginRefusedError, ClosedError.
    """
    line = await Line.connect(site, clock)
    is_ready = False
    try:
        await line.log_in()
        await line.status()
        is_ready = True
    finally:
        if not is_ready:
            line.close()
    return line


def down_error(site: LibrarySite, error: Exception) -> OutsideDownError:
    """What to tell the hub, which lets all questions for this library wait."""
    kinds = {LoginRefusedError: LibraryLoginError, ClosedError: LibraryClosedError}
    kind = kinds.get(type(error), LibraryDownError)
    return kind(f"SIP2: {type(error).__name__}", destination=destination_of(site.issuer_id), retry_after_s=DOWN_S)
