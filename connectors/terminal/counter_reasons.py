"""Why something is not done at a counter, as its programs and people are told."""

from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode, Refusal


def refused(code: str) -> ProblemError:
    """409 with the code for programs and the sentences for people."""
    refusal = Refusal.of(code)
    fault = FieldError(pointer="", code=refusal.code, detail=refusal.detail, detail_ja=refusal.detail_ja)
    return ProblemError(ProblemCode.state_conflict, refusal.detail, refusal.detail_ja, errors=[fault])
