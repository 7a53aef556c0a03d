"""Why something is not done at a counter: from how a job ended to what a person is told."""

from collections.abc import Mapping
from typing import Final

from hub.web.problems import ProblemError
from schemas.card_jobs import JobAnswer
from schemas.problems import FieldError, ProblemCode, Refusal, RefusalCode
from schemas.uplink import Outcome

REASONS: Final[Mapping[Outcome, RefusalCode]] = {
    Outcome.no_card: RefusalCode.no_card,
    Outcome.not_jpki: RefusalCode.not_jpki,
    Outcome.wrong_pin: RefusalCode.pin_wrong,
    Outcome.blocked: RefusalCode.pin_blocked,
    Outcome.removed: RefusalCode.card_removed,
    Outcome.cancelled: RefusalCode.read_cancelled,
    Outcome.expired: RefusalCode.read_timeout,
    Outcome.reader_failed: RefusalCode.reader_failed,
    Outcome.busy: RefusalCode.terminal_busy,
    Outcome.not_handed_on: RefusalCode.not_handed_on,
    Outcome.signature_password_wrong: RefusalCode.signature_password_wrong,
    Outcome.signature_password_blocked: RefusalCode.signature_password_blocked,
}
"""How a job ended → what a person is told."""


def refused(code: str) -> ProblemError:
    """409 with the code for programs and the sentences for people."""
    refusal = Refusal.of(code)
    fault = FieldError(pointer="", code=refusal.code, detail=refusal.detail, detail_ja=refusal.detail_ja)
    return ProblemError(ProblemCode.state_conflict, refusal.detail, refusal.detail_ja, errors=[fault])


def reason_of(answer: JobAnswer) -> str:
    """Why a job is not done."""
    if answer.outcome is None or answer.outcome is Outcome.done:
        return answer.code or RefusalCode.reader_failed
    return REASONS[answer.outcome]
