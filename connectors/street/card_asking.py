"""A street's software asks whose card is in (mission III.16): the card is read at the street's own terminal."""

from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import structlog

from connectors.street.streets import StreetBook
from hub.bus import Bus
from hub.errors import TransientError
from schemas.card_jobs import ReadCard, ReleaseCard
from schemas.cards import ProveCard
from schemas.citizens import ProfileOf
from schemas.problems import RefusalCode
from schemas.service_ids import ServiceIdOf
from schemas.streets import IdKind, ReadStreetCard, Street, StreetCardAnswer
from schemas.terminals import AgentKeyOf

PURPOSE: Final = "look-up-service-id"
"""A number is told and nothing changed, so a tap in front of a clerk is enough."""
READ_LIMIT_S: Final = 30.0
DEADLINE_S: Final = 10.0

log: Final = structlog.get_logger()


class Found(NamedTuple):
    """What the street knows the card's citizen by, or why nothing is told."""

    member_id: str | None = None
    code: str | None = None


class CardAsking:
    """Asks for cards at terminals of streets."""

    def __init__(self, streets: StreetBook, bus: Bus) -> None:
        self._streets = streets
        self._bus = bus

    async def member_at(self, street_id: UUID, terminal_id: str) -> Found:
        """Of the card at this terminal; of a terminal that is another's, unknown_terminal, as of one that is none."""
        street = await self._street_at(terminal_id)
        if street is None or street.street_id != street_id:
            return Found(code=RefusalCode.unknown_terminal)
        return await self._member_at(street, terminal_id, uuid4())

    async def at_terminal(self, command: ReadStreetCard) -> StreetCardAnswer:
        """The same, asked at the terminal itself by its agent, for whichever street has it; again, it is one job."""
        street = await self._street_at(command.terminal_id)
        if street is None:
            return StreetCardAnswer(code=RefusalCode.unknown_terminal)
        found = await self._member_at(street, command.terminal_id, command.ask_id)
        return StreetCardAnswer(member_id=found.member_id, code=found.code)

    async def _street_at(self, terminal_id: str) -> Street | None:
        found = await self._bus.call(AgentKeyOf(terminal_id=terminal_id), DEADLINE_S)
        if found.issuer_id is None or found.public_key is None:
            return None
        street, _ = await self._streets.of_issuer(found.issuer_id)
        return street

    async def _member_at(self, street: Street, terminal_id: str, ask_id: UUID) -> Found:
        ask = ReadCard(
            ask_id=ask_id,
            terminal_id=terminal_id,
            operation_id=ask_id,
            purpose=PURPOSE,
            how="tap",
            limit_s=READ_LIMIT_S,
        )
        release = ReleaseCard(terminal_id=terminal_id, operation_id=ask_id)
        try:
            answer = await self._bus.call(ask, ask.deadline_s)
        finally:
            # Also where nobody waits any more: the terminal may be another process's, which does not hear of that.
            with suppress(TransientError):
                await self._bus.call(release, release.deadline_s)
        if answer.proof is None:
            return Found(code=answer.reason)
        proven = await self._bus.call(ProveCard(proof=answer.proof), DEADLINE_S)
        if proven.code is not None or proven.citizen_id is None:
            return Found(code=proven.code or RefusalCode.card_without_mykey_id)
        log.info("street_asked_for_card", street_id=street.street_id, terminal_id=terminal_id)
        return await self._member(street, proven.citizen_id)

    async def _member(self, street: Street, citizen_id: UUID) -> Found:
        if street.layout.id_kind is IdKind.mykey_id:
            profile = (await self._bus.call(ProfileOf(citizen_id=citizen_id), DEADLINE_S)).profile
            return Found(code=RefusalCode.unknown_citizen) if profile is None else Found(profile.mykey_id)
        asked = ServiceIdOf(citizen_id=citizen_id, issuer_id=street.issuer_id)
        service_id = (await self._bus.call(asked, DEADLINE_S)).service_id
        return Found(code=RefusalCode.no_service_id) if service_id is None else Found(service_id.number)
