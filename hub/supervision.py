"""Loops that must not end: whatever ends one is told in the log, and it is begun again; and how they end after all."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import structlog

log = structlog.get_logger()

RESTART_PAUSE_S: Final = 1.0
CANCEL_AGAIN_S: Final = 3.0
"""Longer than a loop takes to close its connections."""
CANCELS_LIMIT: Final = 20


async def for_ever(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `loop` until we are cancelled; where it fails, or ends, again after a pause."""
    while True:
        error = (await asyncio.gather(loop(), return_exceptions=True))[0]
        log.error("loop_failed", loop=name, exc_info=error)
        await asyncio.sleep(RESTART_PAUSE_S)


async def end_tasks(tasks: Iterable["asyncio.Future[Any]"], again_s: float) -> None:
    """Cancel, and after `again_s` again: a library may swallow a cancellation that comes as it is answered."""
    left = {task for task in tasks if not task.done()}
    for _ in range(CANCELS_LIMIT):
        if not left:
            return
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)


def tell_failure(name: str) -> Callable[["asyncio.Task[None]"], None]:
    """For `Task.add_done_callback`: a task that failed says so in the log, at once."""

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", task=name, exc_info=task.exception())

    return ended
