"""Passwords that people choose or are given: which are taken, how they are kept, how they are checked.

Kept as argon2id (RFC 9106) at or above OWASP's floor (m = 19 MiB, t = 2, p = 1). Hashing is slow on purpose: it runs in
threads, at most four at once in a process, so that many log-ins cost neither the event loop nor the memory; never hash
with a transaction open. Nothing is cut off: a password longer than the limit is refused.

Before anything else a password is brought into Unicode's form C, as RFC 8265 (OpaqueString) has it: the same letters
are the same password, however a keyboard composes them. Nothing else about it is changed: full-width letters stay what
they are.
"""

import asyncio
import unicodedata
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from hub.errors import PermanentError, TransientError
from schemas.problems import RefusalCode

SHORTEST_CHARACTERS: Final = 12
LIMIT_CHARACTERS: Final = 1_024
AT_ONCE_LIMIT: Final = 4
"""Hashes at once in one process: 4 × 19 MiB."""
WAITING_LIMIT: Final = 400
"""More than this many waiting for their turn are sent away: they would wait for seconds."""
OWN_LEAST_CHARACTERS: Final = 5
"""So many characters at the least must be the person's own: outside blocked words, runs (`1234`) and repeats."""
RUN_CHARACTERS: Final = 3
WORD_LEAST_CHARACTERS: Final = 2
WORD_LIMIT_CHARACTERS: Final = 32

Result = TypeVar("Result")

_HASHER: Final = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
_THREADS: Final = ThreadPoolExecutor(AT_ONCE_LIMIT, thread_name_prefix="argon2")
_NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""What a password is checked against where nobody has one: no password is known to make it."""


class NoPasswordHashError(PermanentError):
    """What is kept as a password's hash is none: it was altered, or comes from elsewhere."""


class _Waiting:
    """How many wait for their turn or are at it, in this process."""

    count = 0


def refusal(password: str, own_words: Iterable[str] = ()) -> RefusalCode | None:
    """Why this password cannot be chosen; None where it can. `own_words` are the person's own, such as the MyKey ID.

    At least 12 characters, at most 1,024, of any kind; and not little more than words that everybody tries:
    `password_short`, `password_long`, `password_common`.
    """
    composed = _composed(password)
    if len(composed) > LIMIT_CHARACTERS:
        return RefusalCode.password_long
    if len(composed) < SHORTEST_CHARACTERS:
        return RefusalCode.password_short
    own = {_folded(word) for word in own_words}
    if _own_characters(_folded(composed), _blocked_words() | own) < OWN_LEAST_CHARACTERS:
        return RefusalCode.password_common
    return None


async def hashed(password: str) -> str:
    """What to keep of a password: `$argon2id$…`, other each time. Raises TransientError where too many wait."""
    return await _in_thread(lambda: _HASHER.hash(_composed(password)))


async def is_right(password: str, kept: str | None) -> bool:
    """Whether this is the password; with None for `kept` it never is, and takes as long to say.

    Raises:
        NoPasswordHashError: `kept` is no argon2 hash.
        TransientError: too many wait.
    """
    if len(password) > LIMIT_CHARACTERS:
        password, kept = "", None
    return await _in_thread(lambda: _is_right(_composed(password), kept))


def needs_upgrade(kept: str) -> bool:
    """Whether it was hashed by other parameters than ours now: hash the password again when it is next at hand."""
    return _HASHER.check_needs_rehash(kept)


def _is_right(password: str, kept: str | None) -> bool:
    try:
        return _HASHER.verify(_NOBODYS if kept is None else kept, password)
    except InvalidHashError as error:
        raise NoPasswordHashError from error
    except VerificationError:
        return False


async def _in_thread(work: Callable[[], Result]) -> Result:
    if _Waiting.count >= WAITING_LIMIT:
        raise TransientError("too many passwords wait to be checked", retry_after_s=1.0)
    _Waiting.count += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
    finally:
        _Waiting.count -= 1


def _composed(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _folded(text: str) -> str:
    """For comparing with words only: without case and width."""
    return unicodedata.normalize("NFKC", text).casefold()


@cache
def _blocked_words() -> frozenset[str]:
    """The words of `data/blocked_words.txt`: one a line, folded; `tools/blocked_words.py` writes it."""
    lines = (files("hub") / "data" / "blocked_words.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _own_characters(text: str, words: Collection[str]) -> int:
    """How many characters lie in no blocked word and in no run of equal or neighbouring ones."""
    is_own = [True] * len(text)
    for start in range(len(text)):
        for end in range(start + WORD_LEAST_CHARACTERS, min(len(text), start + WORD_LIMIT_CHARACTERS) + 1):
            if text[start:end] in words:
                is_own[start:end] = [False] * (end - start)
        run = text[start : start + RUN_CHARACTERS]
        if len(run) == RUN_CHARACTERS and _is_run(run):
            is_own[start : start + RUN_CHARACTERS] = [False] * RUN_CHARACTERS
    return sum(is_own)


def _is_run(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(steps) == 1 and steps <= {-1, 0, 1}
