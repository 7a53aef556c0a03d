"""A door with a queue behind it: who comes is let in while the wait is bearable, and else told when to come again.

The wait is foretold from what this door sees itself: how many it has let in and not answered, and how many it answers a
second (Little's law). That is the same whether the ledger is in this process or behind the network, and everything on
the way counts: other doors' work, a slow disk, a database that is away. A count of waiting calls tells only how many
there are here, and a look at the ledger's tables would cost most when there is least to give.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hub.metrics import SENT_AWAY, UNDER_WAY
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

WINDOW_S: Final = 0.5
"""How often the rate is measured anew."""
BUSY: Final = 8
"""Measured only while so many are under way: else it would tell how often we are asked, not how fast we can answer."""
NEW_WEIGHT: Final = 0.5
RATE_FLOOR_PER_S: Final = 10.0
"""Taken to be answered at the least, so that some are always let in to find out."""
RETRY_LIMIT_S: Final = 30.0
OUR_FAULT: Final = 500
"""The statuses from here on say that we could not answer."""


class Backlog:
    """What is under way behind one door of this process.

    Whoever would have to wait for longer than `wait_limit_s` is sent away, before anything but the header is read.
    """

    def __init__(
        self,
        name: str,
        wait_limit_s: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        between: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._wait_limit_s = wait_limit_s
        self._monotonic = monotonic
        self._between = between
        self._under_way = 0
        self._rate_per_s: float | None = None
        self._answered = 0
        self._busy_since_s: float | None = None
        """When the window began; None while we are not busy."""
        self._appointment_s = 0.0
        self._gauge = UNDER_WAY.labels(name)
        self._sent_away = SENT_AWAY.labels(name)

    @property
    def wait_s(self) -> float:
        """How long a newcomer would wait; 0.0 as long as nothing is known, which is while few came."""
        if self._rate_per_s is None:
            return 0.0
        return self._under_way / max(self._rate_per_s, RATE_FLOOR_PER_S)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be let in. Who is told that the request is wrong is answered, too: strangers make no ledger slow.

        Raises ProblemError busy (503, Retry-After).
        """
        self._measure()
        if self.wait_s > self._wait_limit_s:
            self._sent_away.inc()
            raise ProblemError(ProblemCode.busy, retry_after_s=self._appointment())
        self._change(1)
        try:
            yield
            self._answered += 1
        except ProblemError as error:
            self._answered += error.status < OUR_FAULT
            raise
        finally:
            self._measure()
            self._change(-1)

    def _change(self, by: int) -> None:
        self._under_way += by
        self._gauge.set(self._under_way)
        if self._under_way < BUSY:
            self._busy_since_s = None
        elif self._busy_since_s is None:
            self._busy_since_s, self._answered = self._monotonic(), 0

    def _measure(self) -> None:
        if self._busy_since_s is None:
            return
        now_s = self._monotonic()
        lasted_s = now_s - self._busy_since_s
        if lasted_s < WINDOW_S:
            return
        rate_per_s = self._answered / lasted_s
        known_per_s = rate_per_s if self._rate_per_s is None else self._rate_per_s
        self._rate_per_s = known_per_s + NEW_WEIGHT * (rate_per_s - known_per_s)
        self._busy_since_s, self._answered = now_s, 0

    def _appointment(self) -> float:
        """In how many seconds to come again: after all who were sent away before, at the pace at which we answer.

        Beyond the limit nobody is asked to wait: those come spread over its second half.
        """
        now_s = self._monotonic()
        rate_per_s = max(self._rate_per_s or 0.0, RATE_FLOOR_PER_S)
        after_s = max(self._appointment_s - now_s, self.wait_s) + 1.0 / rate_per_s
        if after_s > RETRY_LIMIT_S:
            return self._between(RETRY_LIMIT_S / 2, RETRY_LIMIT_S)
        self._appointment_s = now_s + after_s
        return self._between(after_s, min(1.25 * after_s, RETRY_LIMIT_S))
