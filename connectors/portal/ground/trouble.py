"""When something goes wrong: a page that says what happened, whether anything was done, what to do next, and a number.

The number is the request's own (`X-Request-Id`), by which the desk finds it in the log.
"""

from collections.abc import Mapping
from math import ceil
from typing import Final, NamedTuple

from aiohttp import web

from connectors.portal.ground.language import _
from connectors.portal.ground.pages import GROUND, Ground, PageProblemError, answer, to_log_in
from hub.web.answers import REFERENCE
from hub.web.problems import ProblemError, Reference
from schemas.problems import PROBLEMS, ProblemCode

TEMPLATE: Final = "problem.html"
UNREADABLE: Final = 400
MINUTE_S: Final = 60


class Words(NamedTuple):
    """What a person is told: what is the matter, whether it took effect, what to do."""

    title: str
    done: str
    remedy: str


NOTHING: Final = "操作は行われていません。"
_WORDS: Final[Mapping[ProblemCode, Words]] = {
    ProblemCode.not_found: Words(
        "ページが見つかりません", "", "アドレスを確認するか、メニューから選び直してください。"
    ),
    ProblemCode.method_not_allowed: Words(
        "このページは直接開けません", NOTHING, "メニューから、もう一度操作してください。"
    ),
    ProblemCode.forbidden: Words("この操作は行えません", NOTHING, "メニューから、もう一度操作してください。"),
    ProblemCode.too_many: Words(
        "操作が続いたため、受け付けを止めています", NOTHING, "{minutes}分ほど待ってから、もう一度操作してください。"
    ),
    ProblemCode.busy: Words("ただいま混み合っています", NOTHING, "少し待ってから、もう一度操作してください。"),
    ProblemCode.unavailable: Words("ただいま利用できません", NOTHING, "少し待ってから、もう一度操作してください。"),
    ProblemCode.in_flight: Words(
        "処理に時間がかかっています",
        "操作が完了したかどうかは、まだ確認できていません。",
        "少し待ってから、同じボタンをもう一度押してください。二重に処理されることはありません。",
    ),
    ProblemCode.outcome_unknown: Words(
        "完了したかどうかを確認できませんでした",
        "操作が完了したかどうかは、まだ確認できていません。",
        "少し待ってから、同じボタンをもう一度押すか、履歴を確認してください。二重に処理されることはありません。",
    ),
    ProblemCode.internal: Words(
        "システムエラーが発生しました",
        "操作が完了したかどうかは、履歴で確認できます。",
        "時間をおいて、もう一度操作してください。続くときは、下の番号を添えてお問い合わせください。",
    ),
}
_REQUEST: Final = Words("送信内容を受け付けられませんでした", NOTHING, "ページを開き直して、もう一度操作してください。")


class TroublePages:
    """See hub.web.app.Trouble."""

    def __init__(self) -> None:
        self.ground: Ground | None = None

    def __call__(self, request: web.Request, error: ProblemError, reference: Reference) -> web.Response:
        """The page, or the way to the log-in."""
        del reference
        if self.ground is None:
            raise ValueError("no ground")
        if GROUND not in request:
            self.ground.prepare_unknown(request)
        if error.code is ProblemCode.login:
            return to_log_in(request)
        words = words_of(error)
        response = answer(
            request,
            TEMPLATE,
            title=words.title,
            status=error.status,
            failed=True,
            done=words.done,
            remedy=words.remedy,
            number=str(request[REFERENCE].request_id),
        )
        response.headers.update(error.headers)
        return response


def words_of(error: ProblemError) -> Words:
    """What a person is told about it."""
    if isinstance(error, PageProblemError):
        return Words(_(error.title), "", _(error.text))
    found = _WORDS.get(error.code)
    if found is None and error.status == UNREADABLE:
        found = _REQUEST
    if found is None:
        found = Words(PROBLEMS[error.code].title_ja, NOTHING, PROBLEMS[error.code].remedy_ja)
    remedy = _(found.remedy).format(minutes=ceil(int(error.headers.get("Retry-After", MINUTE_S)) / MINUTE_S))
    return Words(_(found.title), _(found.done) if found.done else "", remedy)
