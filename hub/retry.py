"""When a delivery that failed is tried again, and when it is parked."""

import hashlib
import random
import traceback
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hub.errors import HubError, TransientError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`immediate` attempts at once, then scheduled with doubling delays and jitter, parked after `attempts_limit`."""

    attempts_limit: int
    first_delay_s: float
    delay_limit_s: float
    immediate: int = 2


PROMPT: Final = RetryPolicy(attempts_limit=5, first_delay_s=1.0, delay_limit_s=60.0)
"""For what happens inside: a fault that stays is a defect."""

PATIENT: Final = RetryPolicy(attempts_limit=20, first_delay_s=5.0, delay_limit_s=4 * 3600.0)
"""For the outside world: about a day."""

JITTER: Final = 0.3
ERROR_LIMIT_CHARS: Final = 500


def is_permanent(error: BaseException) -> bool:
    """Whether another try can not help. What nobody classified may be a passing fault, so it is tried again."""
    return isinstance(error, HubError) and error.permanent


def delay(policy: RetryPolicy, attempts: int, error: BaseException) -> timedelta | None:
    """How long to wait after `attempts` failed attempts; zero for at once, None to park."""
    if is_permanent(error) or attempts >= policy.attempts_limit:
        return None
    if attempts < policy.immediate:
        return timedelta(0)
    asked = error.retry_after_s if isinstance(error, TransientError) else 0.0
    grown = min(policy.first_delay_s * 2 ** (attempts - policy.immediate), policy.delay_limit_s)
    jittered = grown * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, keeps no secret
    return timedelta(seconds=max(asked, jittered))


def reason(error: BaseException) -> str:
    """The class and its own words; never the arguments of a database error, which can hold personal data."""
    words = str(error) if isinstance(error, HubError) else ""
    return f"{type(error).__qualname__}: {words}"[:ERROR_LIMIT_CHARS]


def fingerprint(error: BaseException) -> str:
    """The same for failures of the same kind at the same place: 12 hexadecimal characters."""
    frames = traceback.extract_tb(error.__traceback__)
    place = frames[-1].name if frames else ""
    return hashlib.sha256(f"{type(error).__qualname__}|{place}".encode()).hexdigest()[:12]
