"""The hub asked whose card is in, over whichever uplink is open."""

import asyncio
from typing import Final
from uuid import UUID

from reader_agent.ports import TellHub
from schemas.problems import RefusalCode
from schemas.uplink import StreetCardAsk, StreetCardTold

ANSWER_LIMIT_S: Final = 90.0
"""Longer than the hub waits for the card."""


class HubAsking:
    """See ports.StreetDesk."""

    def __init__(self) -> None:
        self._tell: TellHub | None = None
        self._waiting: dict[UUID, asyncio.Future[StreetCardTold]] = {}

    def connected(self, tell: TellHub) -> None:
        """See ports.StreetDesk."""
        self._tell = tell

    def disconnected(self) -> None:
        """Whoever waits is told that the connection is gone."""
        self._tell = None
        for ask_id in list(self._waiting):
            self.told(StreetCardTold(ask_id=ask_id, code=RefusalCode.terminal_gone))

    def told(self, answer: StreetCardTold) -> None:
        """See ports.StreetDesk."""
        waiting = self._waiting.get(answer.ask_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def ask(self, ask_id: UUID) -> StreetCardTold:
        """The hub's answer, or why there is none, as its code."""
        if self._tell is None:
            return StreetCardTold(ask_id=ask_id, code=RefusalCode.terminal_away)
        waiting: asyncio.Future[StreetCardTold] = asyncio.get_running_loop().create_future()
        self._waiting[ask_id] = waiting
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._tell(StreetCardAsk(ask_id=ask_id))
                return await waiting
        except ConnectionError:
            return StreetCardTold(ask_id=ask_id, code=RefusalCode.terminal_gone)
        except TimeoutError:
            return StreetCardTold(ask_id=ask_id, code=RefusalCode.read_timeout)
        finally:
            del self._waiting[ask_id]
