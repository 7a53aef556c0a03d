"""How long, how often, and what of an error is kept."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from hub.errors import DeadlineExceededError, HubError, PermanentError, TransientError
from hub.retry import (
    ERROR_LIMIT_CHARS,
    FINGERPRINT_CHARS,
    JITTER,
    PATIENT,
    PROMPT,
    RetryPolicy,
    delay,
    fingerprint,
    is_permanent,
    reason,
)

PERSONAL: Final = "090-0000-0000"


def raised(error: BaseException) -> BaseException:
    """The error as it is caught: with where it came from."""
    return _caught(lambda: _raise(error))


def raised_elsewhere(error: BaseException) -> BaseException:
    """The same error from another place."""
    return _caught(lambda: _raise_too(error))


def _raise(error: BaseException) -> None:
    raise error


def _raise_too(error: BaseException) -> None:
    raise error


def _caught(act: Callable[[], None]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any kind
        act()
    return caught.value


@pytest.mark.parametrize("policy", [PROMPT, PATIENT])
def test_two_at_once_then_doubling_with_jitter_then_parked(policy: RetryPolicy) -> None:
    error = RuntimeError()

    assert delay(policy, 1, error) == timedelta()
    for attempts in range(policy.immediate, policy.attempts_limit):
        grown = min(policy.first_delay_s * 2 ** (attempts - policy.immediate), policy.delay_limit_s)
        for _ in range(20):
            found = delay(policy, attempts, error)
            assert found is not None
            assert grown * (1 - JITTER) <= found.total_seconds() <= grown * (1 + JITTER)
    assert delay(policy, policy.attempts_limit, error) is None


def test_the_patient_policy_lasts_about_a_day_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    waits = [delay(PATIENT, attempts, RuntimeError()) for attempts in range(1, PATIENT.attempts_limit)]
    total = sum((wait for wait in waits if wait), timedelta())

    assert timedelta(hours=20) < total <= timedelta(hours=24)


@given(st.integers(1, 4), st.floats(0, 100_000))
def test_nobody_is_asked_again_before_the_time_asked_for(attempts: int, asked_s: float) -> None:
    found = delay(PROMPT, attempts, TransientError(retry_after_s=asked_s))

    assert found is not None
    assert found >= timedelta(seconds=asked_s)


@given(st.integers(1, 100_000))
def test_many_attempts_do_not_overflow(attempts: int) -> None:
    endless = RetryPolicy(10**9, 1.0, 60.0)

    found = delay(endless, attempts, RuntimeError())

    assert found is not None
    assert found <= timedelta(seconds=60 * (1 + JITTER))


def test_a_permanent_error_is_parked_at_once() -> None:
    assert delay(PATIENT, 1, PermanentError()) is None


def test_jitter_differs() -> None:
    assert len({delay(PROMPT, 2, RuntimeError()) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    "error,permanent",
    [
        (PermanentError(), True),
        (HubError(), True),
        (TransientError(), False),
        (DeadlineExceededError(), False),
        (KeyError(), False),
    ],
)
def test_only_an_error_that_says_so_is_permanent(error: Exception, permanent: bool) -> None:  # noqa: FBT001
    assert is_permanent(error) is permanent


class Person(BaseModel):
    phone: int


def _invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Person.model_validate({"phone": PERSONAL})
    return caught.value.with_traceback(None)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(PERSONAL),
        KeyError(PERSONAL),
        _invalid(),
        UnicodeDecodeError("utf-8", PERSONAL.encode(), 0, 1, "invalid"),
        type("ForeignError", (Exception,), {"__str__": lambda _: PERSONAL})(),
    ],
)
def test_nothing_of_what_a_foreign_error_says_is_kept(error: Exception) -> None:
    caught = raised(error)

    assert PERSONAL not in reason(caught)
    assert reason(caught) == f"{type(error).__qualname__} at test_retry.py _raise"


def test_our_own_words_are_kept_within_limits_that_the_database_takes() -> None:
    kept = reason(raised(PermanentError("a\0b\ud800" + "x" * 10_000)))

    assert kept.startswith("PermanentError: ab?x")
    assert len(kept) == ERROR_LIMIT_CHARS


def test_one_kind_at_one_place_is_one_fingerprint() -> None:
    one = fingerprint(raised(PermanentError("message 1")))

    assert one == fingerprint(raised(PermanentError("message 2")))
    assert one != fingerprint(raised_elsewhere(PermanentError("message 1")))
    assert one != fingerprint(raised(TransientError("message 1")))
    assert len(one) == FINGERPRINT_CHARS
    assert int(one, 16) >= 0


def test_the_place_is_ours_not_a_library_s() -> None:
    caught = _caught(lambda: _read(b"{"))

    assert reason(caught) == "ValidationError at test_retry.py _read"


def _read(text: bytes) -> None:
    Person.model_validate_json(text)
