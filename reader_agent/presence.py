"""Which cards are in the reader, as the card process tells; heard by whoever asks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

from schemas.uplink import CardEvent, ReaderState


class Presence:
    """What is known now. `has_reader` is None while nothing is: the card process is being started."""

    def __init__(self) -> None:
        self.has_reader: bool | None = None
        self.cards: Sequence[UUID] = ()
        self._changed = asyncio.Event()

    def hear(self, said: CardEvent | ReaderState | None) -> None:
        """Take in what the card process tells; None: it is gone, and all that it told with it."""
        match said:
            case CardEvent(what="inserted", insertion=insertion):
                self.cards = (*self.cards, insertion)
            case CardEvent(insertion=insertion):
                self.cards = tuple(card for card in self.cards if card != insertion)
            case ReaderState(connected=connected):
                self.has_reader = connected
            case None:
                self.has_reader, self.cards = None, ()
        self.look_again()

    def look_again(self) -> None:
        """Have everybody who waits in `until` ask again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is true; it is asked after every change."""
        while not condition():
            await self._changed.wait()

    async def events(self) -> AsyncIterator[CardEvent | ReaderState]:
        """What is now, then what changes. It lags behind nobody: what came and went unread is not told."""
        told: Sequence[UUID] = ()
        told_reader: bool | None = None
        while True:
            changed, cards, has_reader = self._changed, self.cards, bool(self.has_reader)
            for card in told:
                if card not in cards:
                    yield CardEvent(what="removed", insertion=card)
            if has_reader is not told_reader:
                yield ReaderState(connected=has_reader)
            for card in cards:
                if card not in told:
                    yield CardEvent(what="inserted", insertion=card)
            told, told_reader = cards, has_reader
            await changed.wait()
