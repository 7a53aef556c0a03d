"""Back-pressure at the doors: so many a second and at once for each caller, so many at once for each audience."""

import asyncio
import random
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

KEYS_LIMIT: Final = 100_000
ROUNDING_S: Final = 1e-6
"""What sums of times may be off by: a full bucket less a bucketful is not always nothing."""
BUSY_RETRY_AFTER_S: Final = (1.0, 4.0)
AT_ONCE_RETRY_AFTER_S: Final = (0.5, 2.0)
"""Drawn between these, so that those who are sent away together do not come back together."""


class RateLimiter:
    """A token bucket for each key: `burst` at once, refilled at `rate_per_s`.

    Kept as one number a key: the time at which its bucket is full again. The least recently seen keys are
    forgotten beyond `keys_limit`. Counts within this process.
    """

    def __init__(
        self,
        rate_per_s: float,
        burst: int,
        *,
        keys_limit: int = KEYS_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token_s = 1.0 / rate_per_s
        self._bucket_s = burst * self._token_s
        self._keys_limit = keys_limit
        self._monotonic = monotonic
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def wait_s(self, key: Hashable, cost: int = 1, rate_per_s: float | None = None) -> float:
        """Take `cost` tokens (at most a bucketful).

        0.0 if they were there, else the seconds until they will be. A key may have a rate of its own; its bucket holds
        as many seconds' worth as the others', and at least one token.
        """
        now = self._monotonic()
        token_s = self._token_s if rate_per_s is None else 1.0 / rate_per_s
        bucket_s = max(self._bucket_s, token_s)
        full_at = max(now, self._full_at.get(key, now)) + min(cost * token_s, bucket_s)
        over_s = full_at - now - bucket_s
        if over_s > ROUNDING_S:
            return over_s
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._keys_limit:
            self._full_at.popitem(last=False)
        return 0.0

    def check(self, key: Hashable, cost: int = 1, rate_per_s: float | None = None) -> None:
        """Take `cost` tokens. Raises ProblemError too_many (429, Retry-After)."""
        wait_s = self.wait_s(key, cost, rate_per_s)
        if wait_s > 0:
            raise ProblemError(ProblemCode.too_many, retry_after_s=wait_s)


class AtOnce:
    """At most `limit` under way at once for each key: requests, or the rows that they carry."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = Counter[Hashable]()

    @contextmanager
    def place(self, key: Hashable, cost: int = 1, limit: int | None = None) -> Iterator[None]:
        """Hold `cost` places (at most all there are); a key may have a limit of its own.

        Raises ProblemError too_many (429, Retry-After).
        """
        limit = limit or self._limit
        cost = min(cost, limit)
        if self._under_way[key] + cost > limit:
            raise ProblemError(ProblemCode.too_many, retry_after_s=_between(*AT_ONCE_RETRY_AFTER_S))
        self._under_way[key] += cost
        try:
            yield
        finally:
            self._under_way[key] -= cost
            if not self._under_way[key]:
                del self._under_way[key]


class WaitingRoom:
    """At most `in_flight_limit` requests at once; `waiting_limit` more wait at most `wait_timeout_s`.

    Others are asked to come again.
    """

    def __init__(self, in_flight_limit: int, waiting_limit: int = 0, wait_timeout_s: float = 1.0) -> None:
        self._places = asyncio.Semaphore(in_flight_limit)
        self._waiting_limit = waiting_limit
        self._wait_timeout_s = wait_timeout_s
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place. Raises ProblemError busy (503, Retry-After)."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    async def _wait(self) -> None:
        if self._waiting >= self._waiting_limit:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_timeout_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise _busy() from error
        finally:
            self._waiting -= 1


def _busy() -> ProblemError:
    return ProblemError(ProblemCode.busy, retry_after_s=_between(*BUSY_RETRY_AFTER_S))


def _between(least_s: float, most_s: float) -> float:
    return random.uniform(least_s, most_s)  # noqa: S311 - spreads load, keeps no secret
