"""Ids that grow with time: UUID version 7 (RFC 9562, section 5.7).

An id tells its millisecond, so tables keyed by it are written at their end and can be cut by day. Ids made
by one process only grow, also within a millisecond and when the machine's clock steps back (section 6.2,
method 1: a counter). From the top: 48 bits Unix time in ms, version, 12 bits counter, variant, 30 bits
counter, 32 bits random.
"""

import os
import threading
import time
from array import array
from datetime import UTC, datetime, timedelta
from uuid import UUID

from asyncpg.pgproto import pgproto

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NS_A_MS = 1_000_000

_VERSION = 7
_VERSION_AND_VARIANT = (_VERSION << 76) | (0b10 << 62)
_ONE = 1 << 32
"""One up in the counter's low part, above the 32 random bits."""
# The top of the low part is left free, so that a counter cannot run over into the variant: 2^29 ids a millisecond.
_SEED_LOW_MASK = (1 << 29) - 1
_SEED_HIGH_MASK = (1 << 12) - 1
_UUID_MAX_MS = (1 << 48) - 1

_POOL_BYTES = 4096


class _Generator:
    """The state of this process: the last millisecond and id, and random numbers bought in bulk."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: a forked child must not go on with its parent's random numbers."""
        self._lock = threading.Lock()
        self._last_ms = 0
        self._last = _VERSION_AND_VARIANT
        self._tails: list[int] = []

    def next(self) -> UUID:
        now_ms = time.time_ns() // _NS_A_MS
        with self._lock:
            if not self._tails:
                self._tails = array("I", os.urandom(_POOL_BYTES)).tolist()
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                seed = int.from_bytes(os.urandom(6), "big")
                high, low = seed & _SEED_HIGH_MASK, (seed >> 12) & _SEED_LOW_MASK
                self._last = now_ms << 80 | _VERSION_AND_VARIANT | high << 64 | low << 32
            else:
                self._last += _ONE
            value = self._last | self._tails.pop()
        # As the database gives them: cheaper to make, to hash, to print and to send than the standard library's own.
        return pgproto.UUID(value.to_bytes(16))


_generator = _Generator()
os.register_at_fork(after_in_child=_generator.forget)


def uuid7() -> UUID:
    """A new id, greater than every id this process made before."""
    return _generator.next()


def uuid7_lower_bound(instant: datetime) -> UUID:
    """The smallest version 7 id of the instant's millisecond; ids of earlier milliseconds are smaller.

    Raises:
        ValueError: the instant names no time zone or cannot be told in 48 bits of milliseconds since 1970.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant names its time zone")
    ms = (instant - _EPOCH) // _MILLISECOND
    if not 0 <= ms <= _UUID_MAX_MS:
        raise ValueError(f"{instant.isoformat()} is outside the span of version 7 ids")
    return UUID(int=ms << 80 | _VERSION_AND_VARIANT)


def uuid7_time(value: UUID) -> datetime:
    """The instant, to the millisecond and in UTC, that a version 7 id tells.

    Raises:
        ValueError: the id is of another version.
    """
    if value.version != _VERSION:
        raise ValueError(f"{value} is no version 7 id")
    return _EPOCH + (value.int >> 80) * _MILLISECOND
