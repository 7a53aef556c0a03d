"""A database that keeps silent: who needs it is told so at once, while one at a time finds out whether it speaks again.

Whoever waits for it holds a connection to another database meanwhile, and there are few of those.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

REST_S: Final = 2.0


class SilentError(ConnectionError):
    """It did not answer the last one who asked; nothing was asked of it now."""


class Silence:
    """What is known of one database."""

    def __init__(self) -> None:
        self._is_silent = False
        self._tried_by: asyncio.Task[object] | None = None
        self._rests_until_s = 0.0

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Ask it something; who finds out whether it speaks may ask more meanwhile. Raises SilentError."""
        task = asyncio.current_task()
        finds_out = self._is_silent and self._tried_by is not task
        if finds_out:
            if self._tried_by is not None or time.monotonic() < self._rests_until_s:
                raise SilentError
            self._tried_by = task
        try:
            yield
            self._is_silent = False
        except TimeoutError:
            self._is_silent, self._rests_until_s = True, time.monotonic() + REST_S
            raise
        finally:
            if finds_out:
                self._tried_by = None
