"""An event loop whose time passes only when everybody waits, so that a minute of faults takes milliseconds."""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest import mock

Result = TypeVar("Result")


class NothingWillEverHappenError(AssertionError):
    """Everybody waits and nobody set a time: a deadlock."""


class _NoNetwork(selectors.BaseSelector):
    """Nothing is ever ready; waiting moves the clock on."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 - as selectors'
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingWillEverHappenError
        self.now_s += max(0.0, timeout)
        return []

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at zero and jumps to whatever is next."""

    def __init__(self) -> None:
        self._virtual = _NoNetwork()
        super().__init__(self._virtual)
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._virtual.now_s


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end in virtual time; `time.monotonic` is virtual meanwhile. Tasks left over are cancelled."""
    loop = VirtualLoop()
    try:
        with mock.patch.object(time, "monotonic", loop.time):
            result = loop.run_until_complete(main)
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            return result
    finally:
        loop.close()
