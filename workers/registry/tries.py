"""Failed log-ins, counted so that all processes see them: who has failed too often waits.

One password tried on a thousand accounts never fails twice on one of them, and a thousand machines never fail twice
from one: so it is counted by where it comes from, by account, and all together. A browser that the citizen has logged
in with before is counted by itself, so that strangers' failures do not lock the owner out; a card needs no password.

A try is counted before the password is looked at, and taken off again when it was right: many at once do not slip by.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from hub.keys import Hasher
from hub.transaction import Transaction
from workers.registry import login_statements as sql

WINDOW: Final = timedelta(minutes=15)
SOURCE_LIMIT: Final = 30
"""Many people sit behind one address: a town hall, a telephone company."""
ACCOUNT_LIMIT: Final = 10
DEVICE_LIMIT: Final = 10
GLOBAL_LIMIT: Final = 1_000
"""Of all in a window. Beyond it only known browsers and cards log in: people who mistype are far fewer."""


class Counter(NamedTuple):
    """One thing that failures are counted by."""

    what_hash: bytes
    limit: int


class Tries:
    """Counts; every method works in the caller's transaction."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    def counters(self, source: str, account: bytes, known_device: bytes | None) -> list[Counter]:
        """What a try is counted by; `account` and `known_device` are keyed hashes."""
        if known_device is not None:
            return [Counter(self._hasher.hash(b"device|" + account + known_device), DEVICE_LIMIT)]
        return [
            Counter(self._hasher.hash(b"source|" + source.encode()), SOURCE_LIMIT),
            Counter(self._hasher.hash(b"account|" + account), ACCOUNT_LIMIT),
            Counter(self._hasher.hash(b"all"), GLOBAL_LIMIT),
        ]

    def asked_again(self, account: bytes) -> list[Counter]:
        """What a try of somebody with a session is counted by."""
        return [Counter(self._hasher.hash(b"session|" + account), DEVICE_LIMIT)]

    async def begin(self, counters: Sequence[Counter], tx: Transaction) -> bool:
        """Count a try, unless one of its counters is full; whether it may go on."""
        limits = {counter.what_hash: counter.limit for counter in counters}
        hashes = sorted(limits)
        await tx.execute(sql.OPEN_COUNTERS, hashes, tx.now)
        rows = await tx.fetch(sql.LOCKED_COUNTERS, hashes, tx.now - WINDOW)
        if any(row["failures"] >= limits[row["what_hash"]] for row in rows):
            return False
        await tx.execute(sql.COUNT, hashes, tx.now - WINDOW, tx.now)
        return True

    async def was_right(self, counters: Sequence[Counter], tx: Transaction) -> None:
        """Take the try off again."""
        await tx.execute(sql.UNCOUNT, sorted(counter.what_hash for counter in counters))
