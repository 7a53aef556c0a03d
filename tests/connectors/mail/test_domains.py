"""Turns by recipient domain, on a clock that the test moves."""

import asyncio

import pytest

from connectors.mail.domains import (
    DOMAINS_LIMIT,
    PAUSE_FIRST_S,
    PAUSE_LIMIT_S,
    PUT_OFF_LIMIT_S,
    WAIT_LIMIT_S,
    DomainLimits,
)
from hub.clock import SystemClock
from hub.errors import ComponentPausedError, NotYetError


class StandingClock(SystemClock):
    """Stands still."""

    at_s = 1_000.0

    def monotonic(self) -> float:
        """The same always, unless moved."""
        return self.at_s


@pytest.fixture
def still() -> StandingClock:
    return StandingClock()


async def test_a_domain_waits_for_its_turn_and_others_do_not(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=20.0, overrides={})
    began = asyncio.get_running_loop().time()
    for _ in range(4):
        await limits.turn("slow.example")
    waited_s = asyncio.get_running_loop().time() - began
    assert 0.29 < waited_s < 1.0
    began = asyncio.get_running_loop().time()
    await limits.turn("other.example")
    assert asyncio.get_running_loop().time() - began < 0.15, "after four turns the slow one waits 0.2 s"


async def test_too_long_a_queue_goes_back_to_the_hub(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=1_000.0, overrides={"Slow.example": 1 / (WAIT_LIMIT_S * 2)})
    await limits.turn("slow.example")
    with pytest.raises(NotYetError) as refused:
        await limits.turn("slow.example")
    assert refused.value.retry_after_s == WAIT_LIMIT_S * 2


async def test_who_is_put_off_comes_back_one_by_one_as_fast_as_the_provider_takes_them(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=1_000.0, overrides={"slow.example": 0.5})
    await limits.turn("slow.example")
    assert [await _put_off_s(limits) for _ in range(4)] == [2.0, 4.0, 6.0, 8.0]
    still.at_s += 2.0
    await limits.turn("slow.example")
    assert await _put_off_s(limits) == 8.0, "after those who were put off before"
    still.at_s += 3_600.0
    await limits.turn("slow.example")
    assert await _put_off_s(limits) == 2.0, "nobody is waited for for ever"


async def test_nobody_is_put_off_for_longer_than_the_limit(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=0.1, overrides={})
    await limits.turn("slow.example")
    assert [await _put_off_s(limits) for _ in range(100)][-1] == PUT_OFF_LIMIT_S


async def test_whoever_waits_for_a_turn_is_left_to_others_where_this_process_ends(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=1.1 / WAIT_LIMIT_S, overrides={})
    await limits.turn("slow.example")
    waiting = asyncio.create_task(limits.turn("slow.example"))
    asyncio.get_running_loop().call_soon(limits.stop)
    with pytest.raises(ComponentPausedError):
        await waiting


async def _put_off_s(limits: DomainLimits) -> float:
    with pytest.raises(NotYetError) as refused:
        await limits.turn("slow.example")
    return refused.value.retry_after_s


async def test_pauses_double_up_to_a_limit_and_end_when_the_provider_takes_mail_again(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=1_000.0, overrides={})
    expected_s = PAUSE_FIRST_S
    for _ in range(8):
        assert limits.pause("a.example") == expected_s
        with pytest.raises(NotYetError) as refused:
            await limits.turn("a.example")
        assert refused.value.retry_after_s == expected_s
        still.at_s += expected_s
        await limits.turn("a.example")
        still.at_s += 1
        expected_s = min(expected_s * 2, PAUSE_LIMIT_S)
    limits.accepted("a.example")
    assert limits.pause("a.example") == PAUSE_FIRST_S


async def test_several_refusals_at_once_are_one_pause(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=1_000.0, overrides={})
    assert [limits.pause("a.example") for _ in range(3)] == [PAUSE_FIRST_S] * 3


async def test_memory_is_bounded(still: StandingClock) -> None:
    limits = DomainLimits(still, per_domain_s=1_000.0, overrides={})
    for number in range(DOMAINS_LIMIT * 2 + 5):
        still.at_s += 1
        await limits.turn(f"d{number}.example")
    assert len(limits._domains) <= DOMAINS_LIMIT
