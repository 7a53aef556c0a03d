"""The wait is foretold from what is seen, whoever would wait too long is sent away, and not all come back at once."""

from contextlib import ExitStack

import pytest

from hub.web.backlog import BUSY, RATE_FLOOR_PER_S, RETRY_LIMIT_S, WINDOW_S, Backlog
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

WAIT_LIMIT_S = 5.0


class Door:
    """A backlog by a clock that the test moves; requests leave in the order in which they came."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.backlog = Backlog("test", WAIT_LIMIT_S, monotonic=lambda: self.now_s, between=lambda least, _most: least)
        self.inside: list[ExitStack] = []

    def come(self, count: int = 1) -> list[float]:
        """So many come; the Retry-After of those who are sent away."""
        sent_away = []
        for _ in range(count):
            one = ExitStack()
            try:
                one.enter_context(self.backlog.place())
            except ProblemError as error:
                sent_away.append(float(error.headers["Retry-After"]))
            else:
                self.inside.append(one)
        return sent_away

    def answer(self, count: int) -> None:
        """So many are answered."""
        for one in self.inside[:count]:
            one.close()
        del self.inside[:count]

    def work(self, per_s: float, seconds: float) -> None:
        """Answer so many a second, for each of whom another one comes."""
        for _ in range(round(seconds * 10)):
            self.now_s += 0.1
            self.come(round(per_s / 10))
            self.answer(round(per_s / 10))


def test_while_nothing_is_known_everybody_is_let_in() -> None:
    assert Door().come(10_000) == []


def test_the_wait_is_how_many_there_are_by_how_many_are_answered() -> None:
    door = Door()
    door.come(100)
    door.work(50, 10)
    assert door.backlog.wait_s == pytest.approx(100 / 50, rel=0.1)


def test_who_would_wait_too_long_is_sent_away_until_it_is_shorter() -> None:
    door = Door()
    door.come(100)
    door.work(50, 10)
    sent_away = door.come(1_000)
    assert len(door.inside) == pytest.approx(WAIT_LIMIT_S * 50, rel=0.1)
    assert sent_away
    door.answer(200)
    assert door.come(100) == []


def test_the_more_are_sent_away_the_later_they_are_to_come_and_none_too_late() -> None:
    door = Door()
    door.come(100)
    door.work(50, 10)
    after_s = door.come(1_500)
    assert after_s[0] == pytest.approx(WAIT_LIMIT_S, abs=1)
    assert after_s[500] > after_s[250] > after_s[0]
    for second in range(round(after_s[0]) + 1, round(RETRY_LIMIT_S) // 2):
        assert 0 < after_s.count(second) <= 60, "as fast as they can be answered"
    assert max(after_s) <= RETRY_LIMIT_S


def test_beyond_the_limit_they_come_spread_over_its_second_half() -> None:
    door = Door()
    drawn: list[tuple[float, float]] = []

    def draw(least: float, most: float) -> float:
        drawn.append((least, most))
        return most

    door.backlog._between = draw
    door.come(100)
    door.work(50, 10)
    door.come(3_000)
    assert drawn[-1] == (RETRY_LIMIT_S / 2, RETRY_LIMIT_S)


def test_few_requests_tell_nothing_of_how_fast_we_are() -> None:
    door = Door()
    door.come(BUSY - 1)
    for _ in range(100):
        door.now_s += 1.0
        door.come(1)
        door.answer(1)
    assert door.come(1_000) == []


def test_while_nothing_is_answered_some_are_let_in_to_find_out() -> None:
    door = Door()
    door.come(100)
    for _ in range(40):
        door.now_s += WINDOW_S
        door.come(1)
    door.inside[50:], gone = [], door.inside[50:]
    for one in gone:
        one.close()
    door.answer(len(door.inside))
    door.now_s += WINDOW_S
    assert len(door.come(1_000)) == pytest.approx(1_000 - WAIT_LIMIT_S * RATE_FLOOR_PER_S, abs=100)


def test_what_fails_is_not_answered() -> None:
    door = Door()
    door.come(100)
    for _ in range(10):
        door.now_s += WINDOW_S
        for _ in range(20):
            with pytest.raises((KeyError, ProblemError)), door.backlog.place():
                raise KeyError
    assert door.backlog.wait_s == pytest.approx(100 / RATE_FLOOR_PER_S)


@pytest.mark.parametrize("code,wait_s", [("signature", 100 / 40), ("unavailable", 100 / RATE_FLOOR_PER_S)])
def test_who_is_told_that_the_request_is_wrong_is_answered(code: str, wait_s: float) -> None:
    """Strangers with bad signatures do not make the door believe that it has become slow."""
    door = Door()
    door.come(100)
    for _ in range(10):
        for _ in range(20):
            with pytest.raises(ProblemError), door.backlog.place():
                raise ProblemError(ProblemCode(code))
        door.now_s += WINDOW_S
    assert door.backlog.wait_s == pytest.approx(wait_s, rel=0.1)
