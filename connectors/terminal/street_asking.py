"""What a street's software asks through the agent beside it: whose card is in, one asking at a time of each agent."""

import asyncio
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from connectors.terminal.connections import Connection
from hub.bus import Bus
from hub.errors import TransientError, UnroutableError
from hub.supervision import tell_failure
from hub.web.sockets import SocketClosedError
from schemas.problems import RefusalCode
from schemas.streets import ReadStreetCard, StreetCardAnswer
from schemas.uplink import StreetCardAsk, StreetCardTold

DEADLINE_S: Final = 75.0
"""For the card, which a person has in the hand, and for what is looked up."""

log: Final = structlog.get_logger()


class StreetAsking:
    """Asks the street connector, and says its answer to the agent that asked."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._asked: dict[UUID, asyncio.Task[None]] = {}

    async def take(self, connection: Connection, ask: StreetCardAsk) -> None:
        """Begin with it, and go on listening. Raises SocketClosedError."""
        before = self._asked.get(connection.id)
        if before is not None and not before.done():
            await connection.say(StreetCardTold(ask_id=ask.ask_id, code=RefusalCode.terminal_busy))
            return
        task = asyncio.create_task(self._answer(connection, ask))
        task.add_done_callback(tell_failure("street_asking"))
        self._asked[connection.id] = task

    def gone(self, connection: Connection) -> None:
        """Nobody is there to be answered."""
        task = self._asked.pop(connection.id, None)
        if task is not None:
            task.cancel()

    async def _answer(self, connection: Connection, ask: StreetCardAsk) -> None:
        command = ReadStreetCard(ask_id=ask.ask_id, terminal_id=connection.terminal_id)
        try:
            answer = await self._bus.call(command, DEADLINE_S)
        except (TransientError, UnroutableError) as error:
            log.warning("street_card_not_asked", terminal_id=connection.terminal_id, error=type(error).__qualname__)
            answer = StreetCardAnswer(code=RefusalCode.reader_failed)
        told = StreetCardTold(ask_id=ask.ask_id, member_id=answer.member_id, code=answer.code)
        with suppress(SocketClosedError):
            await connection.say(told)
