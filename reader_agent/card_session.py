"""What the card process does with a card, step by step. Everything here blocks, and knows readers by a protocol."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypedDict
from uuid import UUID

from reader_agent.apdu import OK, Card, CardError, CardRemovedError, ReaderFailedError, UnreadableError, send
from reader_agent.card_frames import Answer, Ask
from reader_agent.jpki import (
    PIN,
    SIGNATURE_PASSWORD,
    BlockedError,
    Jpki,
    MalformedError,
    NotJpkiError,
    PinMissingError,
    WrongPinError,
)
from schemas.uplink import Outcome

IDM_BYTES: Final = 8
"""FeliCa's. Type B answers 4 random bytes to the same question, which name nobody."""
OTHERS_LIMIT_S: Final = 3.0
"""Windows looks at a new card by itself: for that long it may be somebody else's, or several together, so that what is
asked is done within `card_keeper.ASK_LIMIT_S`."""
_GET_UID: Final = b"\xff\xca\x00\x00\x00"
_UID_LIMIT_BYTES: Final = 16


class Connection(Card, Protocol):
    """A card that is ours alone until it is closed."""

    def close(self) -> None:
        """Power it off: what was typed counts no longer. Never fails."""


class Readers(Protocol):
    """The readers of this machine, and the cards in them."""

    def present(self) -> Sequence[UUID]:
        """The insertions of all cards that are in now, the newest first. Raises ReaderFailedError without a reader."""

    def connect(self, insertion: UUID, limit_s: float) -> Connection:
        """Power that very card, once it is no other program's, which may take `limit_s`.

        Raises CardRemovedError, ReaderFailedError.
        """


class _Found(TypedDict, total=False):
    insertion: UUID
    certificate: bytes
    signature: bytes
    tries_left: int
    signature_serial: str
    idm: str


class NoCardError(CardError):
    """No reader has a card in it."""


class CardSession:
    """One card at a time, held from `open` until `release`, or until anything goes wrong with it."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._held: tuple[UUID, Connection] | None = None
        self._steps: Mapping[str, Callable[[Ask, bytearray], _Found]] = {
            "open": self._open,
            "sign": self._sign,
            "signature_tries": self._signature_tries,
            "signature_serial": self._signature_serial,
            "idm": self._idm,
            "release": self._release,
        }

    def do(self, ask: Ask, typed: bytearray) -> Answer:
        """Do what is asked, and wipe what was typed. A failure is an outcome; the card held is powered off by it.

        But for a wrong password of the signature certificate, which takes nothing from the PIN: the desk decides then.
        And a number is another card's.
        """
        try:
            return Answer(id=ask.id, outcome=Outcome.done, **self._steps[ask.do](ask, typed))
        except CardError as error:
            if not _is_held_on(ask, error):
                self.release()
            return Answer(id=ask.id, outcome=_outcome(error), tries_left=_tries_left(error))
        finally:
            typed[:] = bytes(len(typed))

    def release(self) -> None:
        """Power the card off, if one is held."""
        if self._held is not None:
            self._held[1].close()
            self._held = None

    def _open(self, ask: Ask, _: bytearray) -> _Found:
        """The user-authentication certificate: of the card that is held, or of one that is in."""
        if ask.insertion is None:
            self.release()
            insertion, jpki = self._find()
        else:
            insertion, jpki = ask.insertion, self._still(ask.insertion)
        found = _Found(insertion=insertion, certificate=jpki.certificate())
        if ask.insertion is None:
            found["tries_left"] = jpki.tries_left(PIN)
        return found

    def _find(self) -> tuple[UUID, Jpki]:
        """By SELECT, never by ATR. Several cards may be in: the newest My Number Card is meant.

        So it is waited for where it is another program's, even with others in: an older card may be another person's.
        """
        failure: CardError = NoCardError()
        give_up = time.monotonic() + OTHERS_LIMIT_S
        for insertion in self._readers.present():
            try:
                return insertion, self._take(insertion, give_up - time.monotonic())
            except CardError as error:
                failure = error
        raise failure

    def _take(self, insertion: UUID, limit_s: float) -> Jpki:
        connection = self._readers.connect(insertion, limit_s)
        try:
            jpki = Jpki(connection)
            jpki.select()
        except CardError:
            connection.close()
            raise
        self._held = insertion, connection
        return jpki

    def _still(self, insertion: UUID) -> Jpki:
        if self._held is None or self._held[0] != insertion:
            raise CardRemovedError
        return Jpki(self._held[1])

    def _card(self) -> Jpki:
        if self._held is None:
            raise CardRemovedError
        return Jpki(self._held[1])

    def _sign(self, ask: Ask, typed: bytearray) -> _Found:
        jpki = self._card()
        if typed:
            jpki.verify(PIN, typed)
        return _Found(signature=jpki.sign(ask.text))

    def _signature_tries(self, _ask: Ask, _typed: bytearray) -> _Found:
        return _Found(tries_left=self._card().tries_left(SIGNATURE_PASSWORD))

    def _signature_serial(self, _: Ask, typed: bytearray) -> _Found:
        jpki = self._card()
        jpki.verify(SIGNATURE_PASSWORD, typed)
        return _Found(signature_serial=jpki.signature_serial())

    def _idm(self, ask: Ask, _: bytearray) -> _Found:
        """Of a street's or library's FeliCa card; the answer has none for any other card."""
        if ask.insertion is None:
            raise CardRemovedError
        connection = self._readers.connect(ask.insertion, OTHERS_LIMIT_S)
        try:
            identifier, status = send(connection, _GET_UID, _UID_LIMIT_BYTES)
        finally:
            connection.close()
        is_felica = status == OK and len(identifier) == IDM_BYTES
        return _Found(insertion=ask.insertion, **({"idm": identifier.hex().upper()} if is_felica else {}))

    def _release(self, _ask: Ask, _typed: bytearray) -> _Found:
        self.release()
        return {}


_OUTCOMES: Final[Mapping[type[CardError], Outcome]] = {
    NoCardError: Outcome.no_card,
    NotJpkiError: Outcome.not_jpki,
    WrongPinError: Outcome.wrong_pin,
    BlockedError: Outcome.blocked,
    MalformedError: Outcome.cancelled,
    CardRemovedError: Outcome.removed,
    # Its power came and went: whatever is in now is not the card whose PIN was typed.
    PinMissingError: Outcome.removed,
    ReaderFailedError: Outcome.reader_failed,
    UnreadableError: Outcome.reader_failed,
}


def _is_held_on(ask: Ask, error: CardError) -> bool:
    is_other_password = ask.do == "signature_serial" and isinstance(error, (WrongPinError, BlockedError))
    return is_other_password or ask.do == "idm"


def _outcome(error: CardError) -> Outcome:
    return next(outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind))


def _tries_left(error: CardError) -> int | None:
    if isinstance(error, WrongPinError):
        return error.tries_left
    return 0 if isinstance(error, BlockedError) else None
