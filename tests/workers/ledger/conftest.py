"""A ledger that works, with the pools of the small world, on 2026-01-10."""

from collections.abc import AsyncIterator

import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from tests.running import running
from tests.workers.ledger.world import START, open_pools


@pytest.fixture
def clock() -> AdjustableClock:
    """The small world's day."""
    return AdjustableClock(START)


@pytest.fixture
async def ledger(database_url: str, clock: AdjustableClock) -> AsyncIterator[HubProcess]:
    async with running(database_url, "ledger", clock=clock) as process:
        await open_pools(process.database_of("ledger"))
        yield process
