"""From what was raised to what is answered: problem details (RFC 9457), in English and Japanese."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from aiohttp import web

from hub.errors import DeadlineExceededError, TransientError
from hub.ids import uuid7
from hub.tracing import Trace, span_of
from schemas.problems import PROBLEMS, FieldError, Problem, ProblemCode, problem_type

RETRY_AFTER_S: Final = 1.0
PROBLEM_TYPE: Final = "application/problem+json"

_OF_STATUS: Final[Mapping[int, ProblemCode]] = {
    400: ProblemCode.bad_request,
    403: ProblemCode.forbidden,
    404: ProblemCode.not_found,
    405: ProblemCode.method_not_allowed,
    413: ProblemCode.too_large,
    415: ProblemCode.media_type,
    417: ProblemCode.expectation,
}


class Reference(NamedTuple):
    """How a request is found again: `request_id` is what a person tells the desk; `trace` goes on with what it says.

    They are the same where the caller is in no trace of its own; `caller_span` is what called us in it;
    `began_ns` is since 1970.
    """

    request_id: UUID
    trace: Trace
    began_ns: int
    caller_span: int | None = None

    @classmethod
    def new(cls, caller: Trace | None = None) -> "Reference":
        """A request id of ours: what the client sends as one is ignored; a trace it may bring along."""
        request_id, now_ns = uuid7(), time.time_ns()
        if caller is None:
            return cls(request_id, Trace.begun_by(request_id), now_ns)
        return cls(request_id, Trace(caller.trace_id, span_of(request_id)), now_ns, caller.span)


class ProblemError(Exception):
    """The request as a whole is not done, for a reason of the catalogue `schemas.problems.PROBLEMS`.

    `detail` and `detail_ja` say what exactly is wrong; what to do about it is added from the catalogue.
    `errors` name the fields, `headers` go out with the answer.
    """

    def __init__(
        self,
        code: ProblemCode,
        detail: str = "",
        detail_ja: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.detail = detail
        self.detail_ja = detail_ja
        self.errors = errors
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = retry_after(retry_after_s)

    @property
    def status(self) -> int:
        """The HTTP status it is answered with."""
        return PROBLEMS[self.code].status


def retry_after(seconds: float) -> str:
    """The value of Retry-After: whole seconds, at least one, rounded up."""
    return str(max(1, math.ceil(seconds)))


def problem_error(error: BaseException) -> ProblemError:
    """What to answer to whoever asked when `error` was raised; `internal` for all that is not expected."""
    match error:
        case ProblemError():
            found = error
        case DeadlineExceededError() | TimeoutError():
            found = ProblemError(ProblemCode.outcome_unknown, retry_after_s=RETRY_AFTER_S)
        case TransientError():
            found = ProblemError(ProblemCode.unavailable, retry_after_s=error.retry_after_s)
        case web.RequestPayloadError():
            found = ProblemError(
                ProblemCode.bad_request, "The body is not framed as HTTP says.", "本文の区切りが不正です。"
            )
        case web.HTTPException():
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            found = ProblemError(_OF_STATUS.get(error.status, ProblemCode.internal), headers=allow)
        case _:
            found = ProblemError(ProblemCode.internal)
    return found


def problem_of(error: ProblemError, reference: Reference) -> Problem:
    """The document itself: the detail, then the catalogue's word on what to do."""
    text = PROBLEMS[error.code]
    return Problem(
        type=problem_type(error.code),
        title=text.title,
        title_ja=text.title_ja,
        status=text.status,
        detail=f"{error.detail} {text.remedy}".strip(),
        detail_ja=f"{error.detail_ja}{text.remedy_ja}",
        instance=f"urn:uuid:{reference.request_id}",
        request_id=str(reference.request_id),
        trace_id=reference.trace.trace_id.hex,
        errors=list(error.errors),
    )


def problem_response(error: ProblemError, reference: Reference) -> web.Response:
    """The answer. ASCII only, so that no program along the way can spoil the Japanese."""
    document = problem_of(error, reference).model_dump(mode="json")
    return web.Response(
        status=error.status,
        text=json.dumps(document),
        content_type=PROBLEM_TYPE,
        charset="utf-8",
        headers=error.headers,
    )
