"""PC/SC in memory, as `smartcard.scard`: readers by their names, what they say of themselves, whose a card is."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final

import pytest

from reader_agent.readers import PcscReaders, Tell
from tests.peers.card.card import Card

PRESENT: Final = 0x20
EMPTY: Final = 0x10


@dataclass
class Scard:
    """`lists` are the readers that are told of, one list for each time that is asked; the service is gone after them.

    `changes` are what the waits for a change bring, None and whatever comes after them for nothing. `cards` are in the
    readers of these names; `others` says of which reader the card is another program's at that time.
    """

    lists: list[Sequence[str]] = field(default_factory=list)
    changes: list[Mapping[str, int] | None] = field(default_factory=list)
    cards: Mapping[str, Card] = field(default_factory=dict)
    others: Callable[[str], bool] = lambda _: False

    SCARD_S_SUCCESS: Final = 0
    SCARD_E_NO_SERVICE: Final = 1
    SCARD_E_TIMEOUT: Final = 2
    SCARD_E_UNKNOWN_READER: Final = 3
    SCARD_E_NO_READERS_AVAILABLE: Final = 4
    SCARD_E_SHARING_VIOLATION: Final = 5
    SCARD_E_NO_SMARTCARD: Final = 6
    SCARD_W_REMOVED_CARD: Final = 7
    SCARD_W_RESET_CARD: Final = 8
    SCARD_SCOPE_USER: Final = 0
    SCARD_SHARE_EXCLUSIVE: Final = 1
    SCARD_UNPOWER_CARD: Final = 2
    SCARD_PROTOCOL_T0: Final = 1
    SCARD_PROTOCOL_T1: Final = 2
    SCARD_STATE_UNAWARE: Final = 0
    SCARD_STATE_CHANGED: Final = 2
    SCARD_STATE_PRESENT: Final = PRESENT

    def SCardListReaders(self, _context: object, _groups: Sequence[str]) -> tuple[int, Sequence[str]]:  # noqa: N802
        return (self.SCARD_S_SUCCESS, self.lists.pop(0)) if self.lists else (self.SCARD_E_NO_SERVICE, [])

    def SCardGetStatusChange(  # noqa: N802
        self, _context: object, wait_ms: int, asked: Sequence[tuple[str, int]]
    ) -> tuple[int, Sequence[tuple[str, int, bytes]]]:
        if wait_ms == 0:
            return self.SCARD_S_SUCCESS, [(name, PRESENT if name in self.cards else EMPTY, b"") for name, _ in asked]
        now = self.changes.pop(0) if self.changes else None
        if now is None:
            return self.SCARD_E_TIMEOUT, []
        return self.SCARD_S_SUCCESS, [(name, now[name] | self.SCARD_STATE_CHANGED, b"") for name, _ in asked]

    def SCardEstablishContext(self, _scope: int) -> tuple[int, object]:  # noqa: N802
        return self.SCARD_S_SUCCESS, object()

    def SCardIsValidContext(self, _context: object) -> int:  # noqa: N802
        return self.SCARD_S_SUCCESS

    def SCardConnect(  # noqa: N802
        self, _context: object, reader: str, _share: int, protocols: int
    ) -> tuple[int, str, int]:
        status = self.SCARD_E_SHARING_VIOLATION if self.others(reader) else self.SCARD_S_SUCCESS
        return status, reader, protocols

    def SCardTransmit(self, reader: str, _protocol: int, apdu: Sequence[int]) -> tuple[int, Sequence[int]]:  # noqa: N802
        data, word = self.cards[reader].send_and_receive(bytes(apdu))
        return self.SCARD_S_SUCCESS, [*data, *word.to_bytes(2)]

    def SCardDisconnect(self, _reader: str, _what: int) -> int:  # noqa: N802
        return self.SCARD_S_SUCCESS


def readers(scard: Scard, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> PcscReaders:
    """Over it instead of the machine's own."""
    monkeypatch.setitem(sys.modules, "smartcard", SimpleNamespace(scard=scard))
    return PcscReaders(tell)
