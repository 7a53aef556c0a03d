"""The routes by which operators act; each act is in the audit when it is answered."""

from functools import partial
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel

from connectors.operations.acts import Actor
from connectors.operations.audience import ACT, ACTOR, SUPERVISE
from connectors.operations.shapes import (
    ConnectionAsked,
    Copied,
    CopyAsked,
    NoteAsked,
    Noted,
    OperatorAdded,
    OperatorAsked,
    OperatorRevoked,
    Pause,
    ReasonAsked,
    Redrive,
    RedriveAsked,
    RemarkAsked,
    ReplayAsked,
    Replayed,
    Resumed,
)
from connectors.operations.telling import BY_ID, BY_NAME, id_in, name_in, told
from connectors.operations.work import Work
from hub.store import Way
from hub.web.app import Audience, Route, json_response
from hub.web.bodies import read_model
from schemas.connections import ConnectionTested
from schemas.problems import ProblemCode

BODY_LIMIT_BYTES: Final = 1 << 20
ACCEPTED: Final = 202
CREATED: Final = 201

Model = TypeVar("Model", bound=BaseModel)


class DoingDoor:
    """`POST` of everything there is to do."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def routes(self, audience: Audience) -> list[Route]:
        """Its rows of the table."""
        return [*self._for_operators(audience), *self._for_supervisors(audience)]

    def _for_operators(self, audience: Audience) -> list[Route]:
        act = partial(Route, audience=audience, method="POST", permission=ACT)
        gone, state = ProblemCode.not_found, ProblemCode.state_conflict
        return [
            act(
                path="/redrives",
                handler=self.redrive,
                request=RedriveAsked,
                response=Redrive,
                status=ACCEPTED,
                summary="Let one delivery, a group or all that is parked be tried afresh",
                summary_ja="再実行（1件・障害別・すべて）",
                problems=(gone,),
            ),
            act(
                path="/webhook-replays",
                handler=self.replay,
                request=ReplayAsked,
                response=Replayed,
                status=ACCEPTED,
                summary="Have a party told an event again, or all that it has not taken",
                summary_ja="Webhookの再送（1件・未達すべて）",
            ),
            act(
                path="/notes",
                handler=self.note,
                request=NoteAsked,
                response=Noted,
                status=CREATED,
                summary="Leave a note at a delivery or a kind of failure",
                summary_ja="メモを残す",
                problems=(gone,),
            ),
            act(
                path=f"/components/{BY_NAME}/pause",
                handler=self.pause,
                request=ReasonAsked,
                response=Pause,
                summary="Pause a component",
                summary_ja="一時停止",
                problems=(gone, state),
            ),
            act(
                path=f"/components/{BY_NAME}/resume",
                handler=self.resume,
                request=RemarkAsked,
                response=Resumed,
                summary="Let a component go on",
                summary_ja="再開",
                problems=(state,),
            ),
            act(
                path=f"/components/{BY_NAME}/connection-test",
                handler=self.test_connection,
                request=ConnectionAsked,
                response=ConnectionTested,
                summary="Try the connection to a partner or to the mail server",
                summary_ja="接続テスト（協力会社・メールサーバー）",
                problems=(gone, ProblemCode.outcome_unknown),
            ),
        ]

    def _for_supervisors(self, audience: Audience) -> list[Route]:
        supervise = partial(Route, audience=audience, method="POST", permission=SUPERVISE)
        gone, state = ProblemCode.not_found, ProblemCode.state_conflict
        return [
            supervise(
                path=f"/messages/{BY_ID}/reveal",
                handler=self.reveal,
                request=ReasonAsked,
                response=Way,
                summary="One message's whole way with personal data; who looked and why is kept",
                summary_ja="個人情報を含む表示（操作記録に残ります）",
                problems=(gone,),
            ),
            supervise(
                path=f"/messages/{BY_ID}/copies",
                handler=self.copy,
                request=CopyAsked,
                response=Copied,
                status=CREATED,
                summary="Deliver an edited copy instead of a parked message",
                summary_ja="編集した写しで再実行",
                problems=(gone, state),
            ),
            supervise(
                path="/operators",
                handler=self.add_operator,
                request=OperatorAsked,
                response=OperatorAdded,
                status=CREATED,
                summary="Add an operator; the token is shown once",
                summary_ja="運用担当者の追加（トークンは一度だけ表示）",
                problems=(state,),
            ),
            supervise(
                path=f"/operators/{BY_NAME}/revoke",
                handler=self.revoke_operator,
                request=ReasonAsked,
                response=OperatorRevoked,
                summary="Revoke an operator's token",
                summary_ja="運用担当者の失効",
                problems=(gone,),
            ),
        ]

    async def redrive(self, request: web.Request) -> web.Response:
        """202, also where it is finished already: the answer says so."""
        actor, asked = await asked_in(request, RedriveAsked)
        async with told():
            return json_response(await self._work.redrive(actor, asked), status=ACCEPTED)

    async def replay(self, request: web.Request) -> web.Response:
        """202: it is asked for."""
        actor, asked = await asked_in(request, ReplayAsked)
        async with told():
            return json_response(await self._work.replay(actor, asked), status=ACCEPTED)

    async def note(self, request: web.Request) -> web.Response:
        """A note."""
        actor, asked = await asked_in(request, NoteAsked)
        async with told():
            return json_response(await self._work.note(actor, asked), status=CREATED)

    async def pause(self, request: web.Request) -> web.Response:
        """Pause a component."""
        actor, asked = await asked_in(request, ReasonAsked)
        async with told():
            return json_response(await self._work.pause(actor, name_in(request), asked))

    async def resume(self, request: web.Request) -> web.Response:
        """Let it go on."""
        actor, asked = await asked_in(request, RemarkAsked)
        async with told():
            return json_response(await self._work.resume(actor, name_in(request), asked))

    async def test_connection(self, request: web.Request) -> web.Response:
        """Try a connection; one that does not work is a good answer to that."""
        actor, asked = await asked_in(request, ConnectionAsked)
        async with told():
            return json_response(await self._work.test_connection(actor, name_in(request), asked))

    async def reveal(self, request: web.Request) -> web.Response:
        """With personal data."""
        actor, asked = await asked_in(request, ReasonAsked)
        async with told():
            return json_response(await self._work.reveal(actor, id_in(request), asked))

    async def copy(self, request: web.Request) -> web.Response:
        """Edit and retry."""
        actor, asked = await asked_in(request, CopyAsked)
        async with told():
            return json_response(await self._work.copy(actor, id_in(request), asked), status=CREATED)

    async def add_operator(self, request: web.Request) -> web.Response:
        """A new operator."""
        actor, asked = await asked_in(request, OperatorAsked)
        async with told():
            return json_response(await self._work.add_operator(actor, asked), status=CREATED)

    async def revoke_operator(self, request: web.Request) -> web.Response:
        """One operator less."""
        actor, asked = await asked_in(request, ReasonAsked)
        async with told():
            return json_response(await self._work.revoke_operator(actor, name_in(request), asked))


async def asked_in(request: web.Request, model: type[Model]) -> tuple[Actor, Model]:
    """Who asks, and what for. Raises ProblemError."""
    return request[ACTOR], await read_model(request, model, BODY_LIMIT_BYTES)
