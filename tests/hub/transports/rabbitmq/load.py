"""Messages and calls without end from one process to others, and what must have become of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Final

from hub.errors import DeadlineExceededError, TransientError
from hub.process import HubProcess
from schemas.values import LANES
from tests.hub.parts import Probe, credit, credited, fake, key_in, say
from tests.hub.transports.conftest import Start
from tests.hub.transports.rabbitmq.broker_view import BrokerView
from tests.waiting import wait_until

CALL_DEADLINE_S: Final = 2.0
FLOW_LIMIT_S: Final = 20.0
DRAIN_LIMIT_S: Final = 60.0
PACE_S: Final = 0.005


class Load:
    """One message and one call at a time; what was said, and what was answered."""

    def __init__(self, process: HubProcess) -> None:
        self.process = process
        self.said = 0
        self.answered: set[int] = set()
        self.unknown = 0
        self.errors: list[BaseException] = []
        self.ended = False

    async def say(self) -> None:
        """The same key again and again in each lane, so that its order can be seen."""
        keys = [key_in(lane) for lane in range(LANES)]
        while not self.ended:
            await say(self.process, credited(self.said + 1, keys[self.said % LANES]))
            self.said += 1
            await asyncio.sleep(PACE_S)

    async def call(self) -> None:
        """One that was not answered is not asked again."""
        for n in count(1):
            if self.ended:
                return
            try:
                await self.process.bus.call(credit(n), CALL_DEADLINE_S)
                self.answered.add(n)
            except (TransientError, DeadlineExceededError):
                self.unknown += 1
            await asyncio.sleep(PACE_S)

    async def flows(self, some: int = 30) -> None:
        """Wait until so many more messages and calls have got through, on whatever way."""
        said, answered = self.said, len(self.answered)
        await wait_until(lambda: self.said >= said + some and len(self.answered) >= answered + some, FLOW_LIMIT_S)


@asynccontextmanager
async def loaded(start: Start, probe: Probe, view: BrokerView) -> AsyncIterator[Load]:
    """Two of each worker beside the process that says and asks; in the end all is done and no queue has anything."""
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(start(fake("registry")))
        workers = [await stack.enter_async_context(start(fake("ledger"), fake("mail"))) for _ in range(2)]
        load = Load(sender)
        working = [asyncio.create_task(load.say()), asyncio.create_task(load.call())]
        try:
            yield load
        finally:
            load.ended = True
            await asyncio.gather(*working)
        await workers[0].drained(DRAIN_LIMIT_S)
        await wait_until(view.is_empty, DRAIN_LIMIT_S)
    await check(probe, load)


async def check(probe: Probe, load: Load) -> None:
    """What was said is done once, in order; what was answered is done; nothing is left.

    A call may come both ways; that it is done once is for its own id to see to, which the ledger's tests do.
    """
    by_key: dict[object, list[int]] = {}
    for key, n in await probe.done("mail"):
        by_key.setdefault(key, []).append(n)
    done = sorted(n for numbers in by_key.values() for n in numbers)
    assert done == list(range(1, load.said + 1))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
    assert load.answered <= set(await probe.numbers("ledger"))
    assert await probe.deliveries() == []
