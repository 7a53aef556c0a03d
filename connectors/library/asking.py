"""Asking a library of a number: now, while somebody waits at the counter, or later, as often as it takes."""

import asyncio
from typing import Final

import structlog

from connectors.library.conversation import Patron
from connectors.library.lines import LibraryAnswerError, Lines
from connectors.library.sites import Sites
from hub.database import Database
from hub.errors import NoAnswerError, OutsideDownError, PermanentError
from schemas.libraries import ConfirmServiceId, LibrarySite, NotAsked, PatronKnown, PatronWord
from schemas.message import Envelope
from schemas.service_ids import LibraryWord, ServiceIdConfirmed, ServiceIdDoubted

COUNTER_LIMIT_S: Final = 4.0
"""Somebody waits at the counter: after this the library is asked later."""

log = structlog.get_logger()


class NoSiteError(PermanentError):
    """The library system of this issuer is not registered here: register its site, then redrive."""


class Asking:
    """The library connector's query and its outside command."""

    def __init__(self, sites: Sites, lines: Lines, database: Database) -> None:
        self._sites = sites
        self._lines = lines
        self._database = database

    async def at_the_counter(self, query: PatronKnown) -> PatronWord:
        """Known, unknown, or why it was not asked; never an error of the library's."""
        site = await self._sites.of(query.issuer_id)
        if site is None:
            return PatronWord(word=LibraryWord.not_asked, reason=NotAsked.no_site)
        word = await self._word(site, query.number)
        if word.reason is not None:
            log.info("library_not_asked", issuer_id=query.issuer_id, reason=word.reason.value)
        return word

    async def _word(self, site: LibrarySite, number: str) -> PatronWord:
        try:
            async with asyncio.timeout(COUNTER_LIMIT_S):
                patron = await self._lines.patron(site, number)
        except (TimeoutError, NoAnswerError):
            reason = NotAsked.slow
        except OutsideDownError:
            reason = NotAsked.down
        except LibraryAnswerError:
            reason = NotAsked.not_understood
        else:
            return PatronWord(word=LibraryWord(patron.value))
        return PatronWord(word=LibraryWord.not_asked, reason=reason)

    async def later(self, envelope: Envelope) -> None:
        """Do a ConfirmServiceId: ask, and say what the library says. Asked twice, it is said twice, which is harmless.

        Raises:
            OutsideDownError: the library is down; all for it waits.
            NoAnswerError: it did not answer.
            LibraryAnswerError, NoSiteError: somebody has to mend the site's settings.
        """
        command = envelope.message
        if not isinstance(command, ConfirmServiceId):
            raise TypeError(envelope.type)
        site = await self._sites.of(command.issuer_id)
        if site is None:
            raise NoSiteError(f"issuer {command.issuer_id}")
        patron = await self._lines.patron(site, command.number)
        said = ServiceIdConfirmed if patron is Patron.known else ServiceIdDoubted
        async with self._database.transaction() as tx:
            tx.emit(said(entry_id=command.entry_id, citizen_id=command.citizen_id, issuer_id=command.issuer_id))
