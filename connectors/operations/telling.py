"""What went wrong, as a problem; and what is in an address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.operations.copies import BadBodyError, UnknownTypeError
from connectors.operations.corrections import (
    CorrectionOpenError,
    CorrectionRefusedError,
    DecidedError,
    NoSuchCorrectionError,
)
from connectors.operations.operators import NameTakenError, NoSuchOperatorError, SupervisorElsewhereError
from connectors.operations.redrives import NoSuchRedriveError
from connectors.operations.work import (
    NoSuchComponentError,
    NotPausableError,
    StateConflictError,
)
from hub.database import reachable
from hub.redriving import NoSuchDeliveryError, NotParkedError
from hub.store import NoSuchMessageError
from hub.web.problems import ProblemError
from schemas.problems import FieldError, ProblemCode, RefusalCode

BY_ID: Final = "{id:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}}"
BY_NAME: Final = "{name:[a-z][a-z0-9._-]{0,47}}"

NOT_FOUND: Final = (
    NoSuchMessageError,
    NoSuchDeliveryError,
    NoSuchRedriveError,
    NoSuchComponentError,
    NoSuchOperatorError,
    NoSuchCorrectionError,
)
CONFLICTS: Final = {
    NotParkedError: "停止中（parked）のメッセージだけを差し替えられます。",
    NotPausableError: "この機能は停止できません（再開できなくなるため）。",
    StateConflictError: "すでにその状態です。",
    UnknownTypeError: "このプログラムが知らない種類のメッセージです。",
    CorrectionOpenError: "この記録の訂正はすでに申請されています。",
    DecidedError: "この申請はすでに承認または却下されています。",
    SupervisorElsewhereError: "監督者の追加と他の監督者の取消しはサーバー上で行います（mykey-hub console operators）。",
    NameTakenError: "この名前はすでに使われています（過去の名前も再利用できません）。",
}


@asynccontextmanager
async def told() -> AsyncIterator[None]:
    """What went wrong, as a problem."""
    try:
        async with reachable():
            yield
    except NOT_FOUND as error:
        raise ProblemError(ProblemCode.not_found, f"{error}: {error.explanation()}") from error
    except tuple(CONFLICTS) as error:
        detail = f"{error}." if isinstance(error, StateConflictError) else f"{error}: {error.explanation()}"
        raise ProblemError(ProblemCode.state_conflict, detail, CONFLICTS[type(error)]) from error
    except CorrectionRefusedError as error:
        code = error.refusal.code
        problem = ProblemCode.not_found if code is RefusalCode.no_posting else ProblemCode.state_conflict
        raise ProblemError(problem, str(error), f"{code}: {error.refusal.detail_ja}") from error
    except BadBodyError as error:
        errors = [_inside(one) for one in error.errors]
        raise ProblemError(ProblemCode.bad_field, errors=errors) from error


def _inside(error: FieldError) -> FieldError:
    """The edited body is the field `data` of what was sent."""
    return error.model_copy(update={"pointer": f"/data{error.pointer}"})


def id_in(request: web.Request) -> UUID:
    """The id in the address."""
    return UUID(request.match_info["id"])


def name_in(request: web.Request) -> str:
    """The name in the address."""
    return request.match_info["name"]
