"""The rules of MyKey IDs (mission I.6, 画面13–15), pure: what 「自動生成」 and 「重複チェック」 do."""

import secrets
from dataclasses import dataclass, replace
from typing import Final

from schemas.citizens import Candidate
from schemas.problems import RefusalCode

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LENGTH_CHARACTERS: Final = 8
OFFER_LIMIT: Final = 3
FAILED_CHECK_LIMIT: Final = 3


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A person on the way to a MyKey ID: what was pressed how often, and the MyKey ID kept meanwhile."""

    offers: int = 0
    failed_checks: int = 0
    candidate: str | None = None


def random_mykey_id() -> str:
    """Eight characters out of 36, each by chance, so that nobody can guess the next one."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH_CHARACTERS))


def needs_offer(enrolment: Enrolment, attempt: int) -> bool:
    """Whether this press of 「自動生成」 brings a new MyKey ID, rather than the one it brought before."""
    return enrolment.offers < min(attempt, OFFER_LIMIT)


def offer(enrolment: Enrolment, fresh: str) -> Enrolment:
    """A fresh MyKey ID takes the place of the one before."""
    return replace(enrolment, offers=enrolment.offers + 1, candidate=fresh)


def offered(enrolment: Enrolment) -> Candidate:
    """What 「自動生成」 shows."""
    return Candidate(mykey_id=enrolment.candidate, free=True, tries_left=OFFER_LIMIT - enrolment.offers)


def may_check(enrolment: Enrolment) -> bool:
    """Whether an own choice may still be made: not after three failures, nor once the third offer is out."""
    return enrolment.failed_checks < FAILED_CHECK_LIMIT and enrolment.offers < OFFER_LIMIT


def check(enrolment: Enrolment, chosen: str, *, is_free: bool) -> tuple[Enrolment, Candidate]:
    """「重複チェック」: a free choice is kept; a taken one counts as a failure."""
    if chosen == enrolment.candidate:
        return enrolment, _checked(enrolment, chosen, None)
    if not may_check(enrolment):
        return enrolment, _checked(enrolment, chosen, RefusalCode.tries_used_up)
    if is_free:
        kept = replace(enrolment, candidate=chosen)
        return kept, _checked(kept, chosen, None)
    failed = replace(enrolment, failed_checks=enrolment.failed_checks + 1)
    return failed, _checked(failed, chosen, RefusalCode.mykey_id_taken)


def _checked(enrolment: Enrolment, chosen: str, code: str | None) -> Candidate:
    left = FAILED_CHECK_LIMIT - enrolment.failed_checks if enrolment.offers < OFFER_LIMIT else 0
    return Candidate(mykey_id=chosen, free=code is None, tries_left=left, code=code)
