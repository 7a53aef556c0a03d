"""A counter with a reader, once with cards in memory and once over PC/SC; all tests of a module are on one loop."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reader_agent.desk import Desk, open_desk
from reader_agent.typed_numbers import TypedNumbers
from tests.peers.card.pcscd import Pcscd
from tests.reader_agent.card.counter import Counter, Reader, listening
from tests.reader_agent.card.in_memory import in_memory_desk
from tests.waiting import wait_until

CARD_WAIT_S = 0.3


@pytest.fixture(params=["memory", pytest.param("pcsc", marks=pytest.mark.loopback)], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_the_counter(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Desk, Reader, TypedNumbers]]:
    """Starting a card process takes half a second: the tests of a module share it."""
    typed = TypedNumbers()
    if kind == "memory":
        async with in_memory_desk(typed, CARD_WAIT_S) as (desk, reader):
            yield desk, reader, typed
        return
    pcscd: Pcscd = request.getfixturevalue("pcscd")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pcscd.environment.items():
            patch.setenv(name, value)
        async with open_desk(typed, pcscd.readers[0].name, CARD_WAIT_S) as desk:
            yield desk, pcscd.readers[0], typed


@pytest_asyncio.fixture(loop_scope="module")
async def counter(kind: str, at_the_counter: tuple[Desk, Reader, TypedNumbers]) -> AsyncIterator[Counter]:
    """No card is in when a test begins."""
    desk, reader, typed = at_the_counter
    async with listening(Counter(desk, reader, typed, is_real=kind == "pcsc")) as counter:
        await wait_until(lambda: counter.told)
        yield counter
        reader.remove()
        await wait_until(lambda: not counter.is_card_in)
