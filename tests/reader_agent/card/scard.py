"""PC/SC in memory, as `smartcard.scard`: readers by their names, what they say of themselves, whose a card is."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final

import pytest

from reader_agent.readers import PcscReaders, Tell

PRESENT: Final = 0x20
EMPTY: Final = 0x10


@dataclass
class Scard:
    """`lists` are the readers that are told of, one list for each time that is asked; the service is gone after them.

    `changes` are what the waits for a change bring, None and whatever comes after them for nothing.
    """

    lists: list[Sequence[str]] = field(default_factory=list)
    changes: list[Mapping[str, int] | None] = field(default_factory=list)

    SCARD_S_SUCCESS: Final = 0
    SCARD_E_NO_SERVICE: Final = 1
    SCARD_E_TIMEOUT: Final = 2
    SCARD_E_UNKNOWN_READER: Final = 3
    SCARD_E_NO_READERS_AVAILABLE: Final = 4
    SCARD_STATE_UNAWARE: Final = 0
    SCARD_STATE_CHANGED: Final = 2
    SCARD_STATE_PRESENT: Final = PRESENT

    def SCardListReaders(self, _context: object, _groups: Sequence[str]) -> tuple[int, Sequence[str]]:  # noqa: N802
        return (self.SCARD_S_SUCCESS, self.lists.pop(0)) if self.lists else (self.SCARD_E_NO_SERVICE, [])

    def SCardGetStatusChange(  # noqa: N802
        self, _context: object, _wait_ms: int, asked: Sequence[tuple[str, int]]
    ) -> tuple[int, Sequence[tuple[str, int, bytes]]]:
        now = self.changes.pop(0) if self.changes else None
        if now is None:
            return self.SCARD_E_TIMEOUT, []
        return self.SCARD_S_SUCCESS, [(name, now[name] | self.SCARD_STATE_CHANGED, b"") for name, _ in asked]


def readers(scard: Scard, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> PcscReaders:
    """Over it instead of the machine's own."""
    monkeypatch.setitem(sys.modules, "smartcard", SimpleNamespace(scard=scard))
    return PcscReaders(tell)
