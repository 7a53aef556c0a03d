"""Rates and places, by a clock that the test moves."""

import asyncio

import pytest

from hub.web.limits import AtOnce, RateLimiter, WaitingRoom
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode


class Seconds:
    """A monotonic clock."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_is_refilled_at_its_rate() -> None:
    clock = Seconds()
    limiter = RateLimiter(2.0, 3, monotonic=clock)
    assert [limiter.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.5)]
    clock.now += 0.4
    assert limiter.wait_s("a") == pytest.approx(0.1)
    clock.now += 0.11
    assert limiter.wait_s("a") == 0.0
    clock.now += 1_000
    assert [limiter.wait_s("a") for _ in range(4)].count(0.0) == 3


def test_in_the_long_run_the_rate_is_the_rate() -> None:
    clock = Seconds()
    limiter = RateLimiter(10.0, 5, monotonic=clock)
    passed = 0
    for _ in range(1_000):
        clock.now += 0.01
        passed += limiter.wait_s("a") == 0.0
    assert 100 <= passed <= 106


def test_a_whole_bucket_is_there_at_any_time_of_the_clock() -> None:
    """At such times a sum of seconds is a little more than its parts."""
    assert RateLimiter(0.001, 1, monotonic=lambda: 7762.408475376425).wait_s("one") == 0.0


def test_each_key_has_its_own_bucket() -> None:
    limiter = RateLimiter(0.001, 1, monotonic=Seconds())
    assert limiter.wait_s("a") == 0.0
    assert limiter.wait_s("b") == 0.0
    assert limiter.wait_s("a") > 0


def test_a_costly_request_takes_more_and_a_bucketful_is_the_most() -> None:
    limiter = RateLimiter(1.0, 10, monotonic=Seconds())
    assert limiter.wait_s("a", 8) == 0.0
    assert limiter.wait_s("a", 3) == pytest.approx(1.0)
    assert limiter.wait_s("b", 1_000) == 0.0
    assert limiter.wait_s("b") == pytest.approx(1.0)


def test_the_refusal_says_when_to_come_again() -> None:
    limiter = RateLimiter(0.1, 1, monotonic=Seconds())
    limiter.check("a")
    with pytest.raises(ProblemError) as caught:
        limiter.check("a")
    assert (caught.value.code, caught.value.headers) == (ProblemCode.too_many, {"Retry-After": "10"})


def test_only_so_many_keys_are_remembered() -> None:
    limiter = RateLimiter(0.001, 1, keys_limit=10, monotonic=Seconds())
    for number in range(100):
        limiter.check(number)
    assert len(limiter._full_at) == 10
    with pytest.raises(ProblemError):
        limiter.check(99)


def test_so_much_at_once_for_each_key_and_it_is_given_back() -> None:
    at_once = AtOnce(3)
    with at_once.place("a", 2), at_once.place("b", 3):
        with at_once.place("a"):
            pass
        with pytest.raises(ProblemError) as caught, at_once.place("a", 2):
            pass
        with pytest.raises(ProblemError), at_once.place("b"):
            pass
    assert caught.value.code is ProblemCode.too_many
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 2
    assert not at_once._under_way
    with at_once.place("a", 1_000), pytest.raises(ProblemError), at_once.place("a"):
        pass


async def test_a_place_is_given_back_whatever_happens() -> None:
    room = WaitingRoom(1)
    for _ in range(3):
        with pytest.raises(KeyError):
            async with room.place():
                raise KeyError
    async with room.place():
        with pytest.raises(ProblemError) as caught:
            async with room.place():
                pass
        assert caught.value.code is ProblemCode.busy


async def test_some_wait_for_a_place_and_get_it() -> None:
    room = WaitingRoom(1, waiting_limit=1, wait_timeout_s=5.0)
    leave = asyncio.Event()
    order: list[int] = []

    async def visit(number: int) -> None:
        async with room.place():
            order.append(number)
            await leave.wait()

    visits = [asyncio.create_task(visit(number)) for number in range(3)]
    await asyncio.wait(visits, return_when=asyncio.FIRST_COMPLETED)
    assert order == [0]
    leave.set()
    outcomes = await asyncio.gather(*visits, return_exceptions=True)
    assert order == [0, 1]
    assert isinstance(outcomes[2], ProblemError)


async def test_nobody_waits_for_ever() -> None:
    room = WaitingRoom(1, waiting_limit=5, wait_timeout_s=0.05)
    async with room.place():
        with pytest.raises(ProblemError):
            async with room.place():
                pass
    async with room.place():
        pass
