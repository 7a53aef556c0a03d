"""What is asked for at the same time is done together: one statement instead of hundreds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class _Batch(Generic[Item, Answer]):
    items: list[Item] = field(default_factory=list)
    task: asyncio.Task[Sequence[Answer]] | None = None


class Together(Generic[Item, Answer]):
    """Hands items to `work` in batches, one at a time; whoever comes while one is at work joins the next.

    Nobody waits for a batch to fill. What `work` raises is raised to everybody in the batch.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], batch_limit: int) -> None:
        self._work = work
        self._batch_limit = batch_limit
        self._open: _Batch[Item, Answer] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, item: Item) -> Answer:
        """The answer for one item, once its batch is done."""
        batch = self._open
        if batch is None or len(batch.items) >= self._batch_limit:
            batch = self._open = _Batch()
        index = len(batch.items)
        batch.items.append(item)
        if batch.task is None:
            batch.task = asyncio.get_running_loop().create_task(self._run(batch))
        # Shielded: one who gives up does not end the others' work.
        answers = await asyncio.shield(batch.task)
        return answers[index]

    async def _run(self, batch: _Batch[Item, Answer]) -> Sequence[Answer]:
        async with self._turn:
            if self._open is batch:
                self._open = None
            return await self._work(batch.items)
