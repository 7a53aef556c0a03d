"""What waits together is done together, in order, and fails together."""

import asyncio
from collections.abc import Sequence

import pytest

from connectors.mail.together import Together


class Work:
    """Doubles numbers, one batch at a time, when let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.let = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.begun.set()
        await self.let.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [number * 2 for number in numbers]


async def test_those_who_come_while_a_batch_is_at_work_form_the_next() -> None:
    work = Work()
    together = Together(work, batch_limit=3)
    asked = [asyncio.create_task(together.ask(1))]
    await work.begun.wait()
    asked += [asyncio.create_task(together.ask(number)) for number in range(2, 7)]
    await asyncio.sleep(0)
    work.let.set()
    assert await asyncio.gather(*asked) == [2, 4, 6, 8, 10, 12]
    assert work.batches == [[1], [2, 3, 4], [5, 6]]


async def test_what_a_batch_raises_is_raised_to_all_in_it_and_to_nobody_else() -> None:
    work = Work()
    work.let.set()
    together = Together(work, batch_limit=2)
    results = await asyncio.gather(*(together.ask(number) for number in (1, 13, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError, int]


async def test_one_who_gives_up_does_not_end_the_others_work() -> None:
    work = Work()
    together = Together(work, batch_limit=2)
    hasty, patient = (asyncio.create_task(together.ask(number)) for number in (1, 2))
    await work.begun.wait()
    hasty.cancel()
    work.let.set()
    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await hasty
