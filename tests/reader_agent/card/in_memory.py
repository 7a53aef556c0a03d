"""Readers and a card process without PC/SC and without a process: the cards of `tests.peers.card` in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from reader_agent.apdu import CardRemovedError, ReaderFailedError
from reader_agent.card_frames import Answer, Ask, Step
from reader_agent.card_session import CardSession
from reader_agent.desk import Desk
from reader_agent.presence import Presence
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import CardEvent, ReaderState
from tests.peers.card.card import Card, PulledError, SilentError

_READERS: Final[WeakKeyDictionary[Card, "InMemoryReader"]] = WeakKeyDictionary()
"""In which reader a card is, or was last: it cannot be in two, where letting go of it at one would power it off."""


class InMemoryReader:
    """One reader, as `card_session.Readers`, and room for a card on another one beside it.

    What happens is told to a desk's `presence`.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._in: tuple[UUID, Card] | None = None
        self._beside: tuple[UUID, Card] | None = None
        presence.hear(ReaderState(connected=True))

    def insert(self, card: Card) -> None:
        """Put a card in; one that is in is taken out before, and this one out of the reader where it is."""
        self.remove()
        there = _READERS.get(card)
        if there is not None and there._in is not None and there._in[1] is card:
            there.remove()
        _READERS[card] = self
        self._in = uuid4(), card
        self._presence.hear(CardEvent(what="inserted", insertion=self._in[0]))

    def remove(self) -> None:
        """Take the card out."""
        if self._in is not None:
            insertion, card = self._in
            self._in = None
            card.power_off()
            self._presence.hear(CardEvent(what="removed", insertion=insertion))

    def put_beside(self, card: Card) -> None:
        """Put a card on the other reader."""
        self._beside = uuid4(), card
        self._presence.hear(CardEvent(what="inserted", insertion=self._beside[0]))

    def take_beside(self) -> None:
        """Take that card away; the one that is in stays."""
        if self._beside is not None:
            insertion, _ = self._beside
            self._beside = None
            self._presence.hear(CardEvent(what="removed", insertion=insertion))

    def present(self) -> Sequence[UUID]:
        return [there[0] for there in (self._beside, self._in) if there]

    def connect(self, insertion: UUID, _limit_s: float) -> "InMemoryConnection":
        card = self.card(insertion)
        card.power_on()
        return InMemoryConnection(self, insertion)

    def card(self, insertion: UUID) -> Card:
        """The card of that insertion. Raises CardRemovedError."""
        for there in (self._in, self._beside):
            if there is not None and there[0] == insertion:
                return there[1]
        raise CardRemovedError


class InMemoryConnection:
    def __init__(self, reader: InMemoryReader, insertion: UUID) -> None:
        self._reader = reader
        self._insertion = insertion

    def send_and_receive(self, apdu: bytes | bytearray, /) -> tuple[bytes, int]:
        try:
            return self._reader.card(self._insertion).send_and_receive(bytes(apdu))
        except PulledError:
            self._reader.remove()
            raise CardRemovedError from None
        except SilentError:
            raise ReaderFailedError from None

    def close(self) -> None:
        if self._insertion in self._reader.present():
            self._reader.card(self._insertion).power_off()


class InMemoryCards:
    """As `desk.Cards`: what the card process does, done at once."""

    def __init__(self, session: CardSession) -> None:
        self._session = session
        self._ids = count(1)

    async def ask(self, step: Step, *, insertion: UUID | None = None, text: bytes = b"", typed: bytes = b"") -> Answer:
        ask = Ask(id=next(self._ids), do=step, insertion=insertion, text=text)
        return self._session.do(ask, bytearray(typed))

    def let_go(self) -> None:
        self._session.release()


@asynccontextmanager
async def in_memory_desk(
    typed: TypedNumbers | None = None, card_wait_s: float = 0.0
) -> AsyncIterator[tuple[Desk, InMemoryReader]]:
    """A whole desk and the reader to put cards into."""
    presence = Presence()
    reader = InMemoryReader(presence)
    desk = Desk(InMemoryCards(CardSession(reader)), presence, typed or TypedNumbers(), card_wait_s)
    try:
        yield desk, reader
    finally:
        desk.close()
