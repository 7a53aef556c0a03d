"""A power cut at every file operation of some work: run in a child process that is killed at its nth one."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Final

TOUCHED: Final = frozenset({"open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.truncate"})
"""What Python tells its audit hooks of (PEP 578), right before it is done."""
DEATHS_LIMIT: Final = 500


def deaths(work: Callable[[], None]) -> Iterator[int]:
    """Do the work again and again, killed at its first, second, … file operation; ends when it was not killed.

    Between two, look at what is left. Raises AssertionError: the work has failed, or nothing ever killed it.
    """
    for nth in range(1, DEATHS_LIMIT):
        if not _is_killed(work, nth):
            assert nth > 1, "it touches no file"
            return
        yield nth
    raise AssertionError("it never came to its end")


def _is_killed(work: Callable[[], None], nth: int) -> bool:
    child = os.fork()
    if child == 0:
        _die_at(nth)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work has failed"
    return os.WIFSIGNALED(status)


def _die_at(nth: int) -> None:
    left = nth

    def hook(event: str, _arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in TOUCHED:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
