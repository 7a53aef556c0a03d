"""The readers of this machine by PC/SC: the one file that imports `smartcard`, and only when a reader is wanted.

Windows has PC/SC in itself (WinSCard; its service stops with the last reader, which looks like a service that is gone),
macOS too (it counts no insertions, so a card that was changed within a moment is noticed only where it was held), Linux
by pcscd. What differs between them is not used: no PnP reader, no control codes.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from reader_agent.apdu import COMMAND_LIMIT_BYTES, STATUS_BYTES, CardError, CardRemovedError, ReaderFailedError
from schemas.uplink import CardEvent, ReaderState

WAIT_MS: Final = 400
"""How long one wait for a change lasts; a new reader is noticed after it."""
NO_READER_PAUSE_S: Final = 0.4
NO_SERVICE_PAUSE_S: Final = 1.0
CONNECT_POLL_S: Final = 0.1
GONE_LIMIT_S: Final = 1.0
"""How long a card that failed has to turn out to be removed."""
GONE_POLL_S: Final = 0.05
_COUNT_SHIFT: Final = 16
_UNSIGNED: Final = 0xFFFFFFFF


class Tell(Protocol):
    """Whoever hears of cards and readers."""

    def __call__(self, said: CardEvent | ReaderState, /) -> None:
        """From either thread, one at a time and in the order in which it happened. Asks the readers nothing."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """A card in a reader: `count` is how often something was put in or taken out before, 0 where nobody counts."""

    insertion: UUID
    reader: str
    count: int


class PcscReaders:
    """All readers, or those with `only` in their names. `watch` runs in a thread of its own, all else in another."""

    def __init__(self, tell: Tell, only: str = "") -> None:
        """Raises ImportError where pyscard is not installed (the extra `reader`)."""
        from smartcard import scard  # noqa: PLC0415 - an extra, see above

        self._scard: Any = scard
        self._tell = tell
        self._only = only
        self._lock = Lock()
        self._in: dict[str, Inserted] = {}
        self._has_reader: bool | None = None
        self._context: Any = None

    # ------------------------------------------------------------------------------------------------- cards

    def present(self) -> Sequence[UUID]:
        """The insertions of all cards that are in now, the newest first. Raises ReaderFailedError without a reader."""
        with self._lock:
            if not self._has_reader:
                raise ReaderFailedError
            return [inserted.insertion for inserted in reversed(self._in.values())]

    def connect(self, insertion: UUID, limit_s: float) -> "PcscConnection":
        """Power that very card, ours alone within `limit_s`. Raises CardRemovedError, ReaderFailedError."""
        with self._lock:
            inserted = next((it for it in self._in.values() if it.insertion == insertion), None)
        if inserted is None:
            raise CardRemovedError
        connection = PcscConnection(self._scard, self._fresh_context(), inserted, self._retire, limit_s)
        # Between our look and the connection the card may have been changed for another.
        if connection.is_gone():
            connection.close()
            raise CardRemovedError
        return connection

    def _retire(self, inserted: Inserted) -> None:
        """A card that failed may be another one by now, changed too quickly to be seen: it counts as put in anew."""
        with self._lock:
            if self._in.get(inserted.reader) != inserted:
                return
            again = self._in[inserted.reader] = replace(inserted, insertion=uuid4())
            # With the lock: the other thread's word on the card put in anew would go before it.
            self._tell(CardEvent(what="removed", insertion=inserted.insertion))
            self._tell(CardEvent(what="inserted", insertion=again.insertion))

    def _fresh_context(self) -> Any:  # noqa: ANN401 - a number, or on Windows an object
        """One that the service knows: it may have been started anew."""
        scard = self._scard
        if self._context is None or scard.SCardIsValidContext(self._context) != scard.SCARD_S_SUCCESS:
            status, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            if status != scard.SCARD_S_SUCCESS:
                self._context = None
                raise ReaderFailedError
        return self._context

    # ---------------------------------------------------------------------------------------------- watching

    def watch(self) -> None:
        """Tell of every card and reader that comes and goes, for ever."""
        while True:
            status, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_USER)
            if status == self._scard.SCARD_S_SUCCESS:
                self._watch(context)
                self._scard.SCardReleaseContext(context)
            self._readers_are({})
            time.sleep(NO_SERVICE_PAUSE_S)

    def _watch(self, context: Any) -> None:  # noqa: ANN401 - as above
        """Until the service is gone."""
        scard = self._scard
        known: dict[str, int] = {}
        while (names := self._names(context)) is not None:
            is_lost = not known.keys() <= set(names)
            known = {name: known.get(name, scard.SCARD_STATE_UNAWARE) for name in names}
            if is_lost or not known:
                # No wait tells of a reader that is not waited for.
                self._readers_are(known)
            if not known:
                time.sleep(NO_READER_PAUSE_S)
                continue
            status, states = scard.SCardGetStatusChange(context, WAIT_MS, list(known.items()))
            if status == scard.SCARD_S_SUCCESS:
                known = {name: state & ~scard.SCARD_STATE_CHANGED for name, state, _ in states}
                self._readers_are(known)
            elif status not in {scard.SCARD_E_TIMEOUT, scard.SCARD_E_UNKNOWN_READER}:
                return

    def _names(self, context: Any) -> Sequence[str] | None:  # noqa: ANN401 - as above
        """Of our readers; None where the service is gone."""
        scard = self._scard
        status, names = scard.SCardListReaders(context, [])
        if status not in {scard.SCARD_S_SUCCESS, scard.SCARD_E_NO_READERS_AVAILABLE}:
            return None
        return [name for name in names or () if self._only in name]

    def _readers_are(self, states: Mapping[str, int]) -> None:
        """Take in what all the readers say, and tell what changed."""
        with self._lock:
            for each in self._changes(states):
                self._tell(each)

    def _changes(self, states: Mapping[str, int]) -> Iterator[CardEvent | ReaderState]:
        for reader, inserted in list(self._in.items()):
            if not self._is_in(states.get(reader, 0), inserted.count):
                del self._in[reader]
                yield CardEvent(what="removed", insertion=inserted.insertion)
        if self._has_reader != bool(states):
            self._has_reader = bool(states)
            yield ReaderState(connected=self._has_reader)
        for reader, state in states.items():
            if state & self._scard.SCARD_STATE_PRESENT and reader not in self._in:
                self._in[reader] = Inserted(uuid4(), reader, count_of(state))
                yield CardEvent(what="inserted", insertion=self._in[reader].insertion)

    def _is_in(self, state: int, count: int) -> bool:
        return bool(state & self._scard.SCARD_STATE_PRESENT) and count_of(state) == count


class PcscConnection:
    """A card that is ours alone until it is closed. Raises CardRemovedError, ReaderFailedError."""

    def __init__(
        self,
        scard: Any,  # noqa: ANN401 - pyscard has no types
        context: Any,  # noqa: ANN401 - as above
        inserted: Inserted,
        failed: Callable[[Inserted], None],
        limit_s: float,
    ) -> None:
        self._scard = scard
        self._failed = failed
        self._context = context
        self._inserted = inserted
        status = self._connect(limit_s)
        if status == scard.SCARD_E_SHARING_VIOLATION:
            # It is in, whoever has it: nothing to wait for.
            raise self._failure(0.0)
        self._check(status)

    def _connect(self, limit_s: float) -> int:
        """PC/SC's status, at the latest when it has been another program's card for `limit_s`."""
        scard = self._scard
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        give_up = time.monotonic() + limit_s
        while True:
            status, self._handle, self._protocol = scard.SCardConnect(
                self._context, self._inserted.reader, scard.SCARD_SHARE_EXCLUSIVE, protocols
            )
            if status != scard.SCARD_E_SHARING_VIOLATION or time.monotonic() >= give_up:
                return int(status)
            time.sleep(CONNECT_POLL_S)

    def send_and_receive(self, apdu: bytes | bytearray, /) -> tuple[bytes, int]:
        """One command, and the answer to it: data and status word. A silent card blocks for ever."""
        if len(apdu) > COMMAND_LIMIT_BYTES:
            raise ValueError("a short APDU is shorter")
        status, answer = self._scard.SCardTransmit(self._handle, self._protocol, list(apdu))
        self._check(status)
        if len(answer) < STATUS_BYTES:
            raise self._failure()
        return bytes(answer[:-STATUS_BYTES]), int.from_bytes(answer[-STATUS_BYTES:])

    def close(self) -> None:
        """Power it off: a warm reset would leave typed what was typed. Whether that works makes no difference."""
        self._scard.SCardDisconnect(self._handle, self._scard.SCARD_UNPOWER_CARD)

    def is_gone(self) -> bool:
        """Whether the card was taken out, or changed for another, since its insertion."""
        scard = self._scard
        now = (self._inserted.reader, scard.SCARD_STATE_UNAWARE)
        status, states = scard.SCardGetStatusChange(self._context, 0, [now])
        if status != scard.SCARD_S_SUCCESS:
            return True
        state = states[0][1]
        return not state & scard.SCARD_STATE_PRESENT or count_of(state) != self._inserted.count

    def _check(self, status: int) -> None:
        scard = self._scard
        if status == scard.SCARD_S_SUCCESS:
            return
        if status in {scard.SCARD_W_REMOVED_CARD, scard.SCARD_W_RESET_CARD, scard.SCARD_E_NO_SMARTCARD}:
            raise CardRemovedError
        raise self._failure()

    def _failure(self, limit_s: float = GONE_LIMIT_S) -> CardError:
        """What a failure means: a card pulled in the middle of a command first looks like one that is broken."""
        give_up = time.monotonic() + limit_s
        while not self.is_gone():
            if time.monotonic() >= give_up:
                self._failed(self._inserted)
                return ReaderFailedError()
            time.sleep(GONE_POLL_S)
        return CardRemovedError()


def count_of(state: int) -> int:
    """How often something was put into a reader or taken out, as its state says beside its bits."""
    return (state & _UNSIGNED) >> _COUNT_SHIFT
