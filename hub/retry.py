"""When a delivery that failed is tried again, and when it is parked."""

import hashlib
import random
import sysconfig
import traceback
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
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

PATIENT: Final = RetryPolicy(attempts_limit=18, first_delay_s=5.0, delay_limit_s=4 * 3600.0)
"""For the outside world: about a day, 22 hours where nobody asks for longer pauses."""

JITTER: Final = 0.3
DOUBLINGS_LIMIT: Final = 30
ERROR_LIMIT_CHARS: Final = 500
FINGERPRINT_CHARS: Final = 12

_FOREIGN: Final = ("site-packages", "dist-packages", sysconfig.get_path("stdlib"), "<")


def is_permanent(error: BaseException) -> bool:
    """Whether another try can not help. What nobody classified may be a passing fault, so it is tried again."""
    return isinstance(error, HubError) and error.permanent


def delay(policy: RetryPolicy, attempts: int, error: BaseException) -> timedelta | None:
    """How long to wait after `attempts` failed attempts; zero for at once, None to park.

    An error that says how long to wait is waited for, before the first retry too.
    """
    if is_permanent(error) or attempts >= policy.attempts_limit:
        return None
    asked = error.retry_after_s if isinstance(error, TransientError) else 0.0
    if attempts < policy.immediate:
        return timedelta(seconds=asked)
    doublings = min(attempts - policy.immediate, DOUBLINGS_LIMIT)
    grown = min(policy.first_delay_s * 2**doublings, policy.delay_limit_s)
    jittered = grown * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, keeps no secret
    return timedelta(seconds=max(asked, jittered))


def reason(error: BaseException) -> str:
    """What a person reads: the class, and its own words or else the place.

    Never the words of an error that is not ours: a database error's can hold personal data.
    """
    name = type(error).__qualname__
    told = f"{name}: {error}" if isinstance(error, HubError) else f"{name} at {_place(error)}"
    # PostgreSQL takes neither NUL nor lone surrogates.
    return told.replace("\0", "").encode(errors="replace").decode()[:ERROR_LIMIT_CHARS]


def fingerprint(error: BaseException) -> str:
    """The same for failures of the same kind at the same place: 12 hexadecimal characters."""
    told = f"{type(error).__qualname__}|{_place(error)}"
    return hashlib.sha256(told.encode()).hexdigest()[:FINGERPRINT_CHARS]


def _place(error: BaseException) -> str:
    """`writer.py post`: the innermost function that is not a library's; empty where there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not any(part in frame.filename for part in _FOREIGN):
            return f"{PurePath(frame.filename).name} {frame.name}"
    return ""
