"""Two cards at one counter, in two readers: what goes wrong with one takes nothing from the other."""

import asyncio

import pytest

from reader_agent.apdu import CardRemovedError, ReaderFailedError
from reader_agent.typed_numbers import TypedNumbers
from schemas.uplink import Outcome
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import FelicaCard, JpkiCard
from tests.reader_agent.card.counter import Citizen, Counter
from tests.reader_agent.card.in_memory import InMemoryConnection, InMemoryReader, in_memory_desk
from tests.waiting import wait_until


@pytest.mark.parametrize("error", [CardRemovedError, ReaderFailedError])
async def test_a_number_that_cannot_be_read_takes_no_pin_from_the_card_that_is_held(
    error: type[Exception], card_authority: CardAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    citizen, typed, tried = Citizen(), TypedNumbers(), list[object]()

    def connect(_reader: InMemoryReader, insertion: object, _limit_s: float) -> InMemoryConnection:
        tried.append(insertion)
        raise error

    async with in_memory_desk(typed) as (desk, reader):
        counter = Counter(desk, reader, typed, is_real=False)
        reader.insert(JpkiCard(card_authority.issue()))
        held = await counter.prove(citizen)
        taking = asyncio.create_task(counter.number())
        await wait_until(lambda: typed.is_wanted)
        with monkeypatch.context() as patched:
            patched.setattr(InMemoryReader, "connect", connect)
            reader.put_beside(FelicaCard())
            await wait_until(lambda: tried)
        typed.feed("12345678")
        assert (await taking).number == "12345678"
        assert (await counter.prove(citizen, again=held.insertion)).outcome is Outcome.done
    assert citizen.asked == [3]
