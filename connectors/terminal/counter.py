"""The door of the counter's screens, `/api/counter`: what a clerk's browser asks for beside the terminal's agent."""

from typing import Final
from uuid import UUID

from aiohttp import web

from connectors.terminal import counter_shapes as shapes
from connectors.terminal.counter_acts import CounterActs
from connectors.terminal.counter_merging import CounterMerging
from connectors.terminal.counter_operations import CounterOperations
from connectors.terminal.counter_routes import BODY_LIMIT_BYTES, OPERATION, CounterRoutes, operation_id_of
from connectors.terminal.counter_sessions import SESSION, CounterSessions, Session
from connectors.terminal.counter_store import Operation
from hub.bus import Bus
from hub.web.app import PUBLIC, Route, json_response
from hub.web.bodies import read_model
from schemas.citizens import Candidate, ProfileOf
from schemas.problems import ProblemCode, Refusal

DEADLINE_S: Final = 5.0
CLEARED: Final = {"Clear-Site-Data": '"cache", "cookies", "storage"'}
NO_CONTENT: Final = 204


class CounterDoor:
    """The routes, and what each reads and answers."""

    def __init__(
        self,
        sessions: CounterSessions,
        operations: CounterOperations,
        acts: CounterActs,
        merging: CounterMerging,
        bus: Bus,
        counter: CounterRoutes,
    ) -> None:
        self._sessions = sessions
        self._operations = operations
        self._acts = acts
        self._merging = merging
        self._bus = bus
        self._counter = counter

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            *self._session_routes(),
            *self._operation_routes(),
            *self._mykey_routes(),
            *self._service_routes(),
            *self._merge_routes(),
        ]

    def _session_routes(self) -> list[Route]:
        return [
            Route(
                audience=self._counter.audience,
                method="POST",
                path="/sessions",
                handler=self.begin_session,
                summary="Open the counter with a ticket of the terminal's agent",
                summary_ja="端末プログラムの発行したチケットで窓口を開く",
                permission=PUBLIC,
                request=shapes.BeginSession,
                response=shapes.BegunSession,
                status=201,
                problems=(ProblemCode.login,),
            ),
            self._counter.route(
                "DELETE", "/session", self.end_session, "Close the counter", "窓口を閉じる", status=204
            ),
        ]

    def _operation_routes(self) -> list[Route]:
        return [
            self._counter.route(
                "POST", "/operations", self.begin,
                "Begin an operation; the card is read for it from now on, and the one before is over",
                "手続きを始める（カードを読み取る。前の手続きは終了する）",
                request=shapes.BeginOperation, response=shapes.BegunOperation, status=202,
            ),
            self._counter.route(
                "GET", OPERATION, self.show,
                "How the operation stands; asking does not keep it alive",
                "手続きの状態（この照会では期限は延びない）", response=shapes.OperationView,
            ),
            self._counter.route("DELETE", OPERATION, self.leave, "End the operation", "手続きをやめる", status=204),
        ]  # fmt: skip

    def _mykey_routes(self) -> list[Route]:
        return [
            self._counter.act(
                "/offer", self._offer, "Offer a MyKey ID", "マイキーIDの自動生成", shapes.OfferForm, Candidate
            ),
            self._counter.act(
                "/check", self._check, "Is the own choice free?", "マイキーIDの重複チェック",
                shapes.ChosenMyKeyId, Candidate,
            ),
            self._counter.act(
                "/create", self._create, "Make the MyKey ID", "マイキーIDの登録",
                shapes.CreateForm, shapes.OperationView,
            ),
            self._counter.act(
                "/change", self._change, "Change the MyKey ID", "マイキーIDの変更",
                shapes.ChosenMyKeyId, shapes.OperationView,
            ),
            self._counter.act(
                "/loss", self._loss, "What a revocation lets end", "失効により失われるポイント", None, shapes.Loss
            ),
            self._counter.act(
                "/revoke", self._revoke, "Revoke the MyKey ID", "マイキーIDの失効", None, shapes.OperationView
            ),
        ]  # fmt: skip

    def _service_routes(self) -> list[Route]:
        return [
            self._counter.act(
                "/number", self._number, "Read the number of the library's or street's card",
                "図書館・商店街カードの番号の読み取り", None, shapes.NumberRead,
            ),
            self._counter.act(
                "/present", self._present, "The number that is registered now", "登録済みのサービスID",
                None, shapes.ServiceIdView,
            ),
            self._counter.act(
                "/register", self._register, "Register the service ID", "サービスIDの登録",
                shapes.RegisterForm, shapes.ServiceIdView,
            ),
            self._counter.act(
                "/look-up", self._look_up, "Look the service ID up and hand it on", "サービスIDの照会",
                None, shapes.ServiceIdView,
            ),
        ]  # fmt: skip

    def _merge_routes(self) -> list[Route]:
        return [
            self._counter.act(
                "/merge-choices", self._merge_choices, "The points that can be merged, and the street's number",
                "合算できるポイントと商店街ポイントID", None, shapes.MergeChoices,
            ),
            self._counter.act(
                "/merge", self._merge, "Merge points into the street's own", "商店街ポイント合算",
                shapes.MergeForm, shapes.MergeDone,
            ),
        ]  # fmt: skip

    # -------------------------------------------------------------------------------------------------- sessions

    async def begin_session(self, request: web.Request) -> web.Response:
        """Raises ProblemError login (401)."""
        form = await read_model(request, shapes.BeginSession, BODY_LIMIT_BYTES)
        session, token = await self._sessions.begin(form.ticket)
        purposes = sorted(shapes.purposes_of(session.kind, point_use_too=session.point_use_too))
        begun = shapes.BegunSession(token=token, terminal_id=session.terminal_id, kind=session.kind, purposes=purposes)
        return json_response(begun, status=201)

    async def end_session(self, request: web.Request) -> web.Response:
        """The token opens nothing any more."""
        await self._operations.end_session(request[SESSION])
        return web.Response(status=NO_CONTENT, headers=CLEARED)

    # ------------------------------------------------------------------------------------------------ operations

    async def begin(self, request: web.Request) -> web.Response:
        """202: the card is asked for."""
        form = await read_model(request, shapes.BeginOperation, BODY_LIMIT_BYTES)
        operation_id = await self._operations.begin(request[SESSION], form)
        return json_response(shapes.BegunOperation(operation_id=operation_id), status=202)

    async def show(self, request: web.Request) -> web.Response:
        """How it stands."""
        return json_response(await self._view(operation_id_of(request), request[SESSION]))

    async def leave(self, request: web.Request) -> web.Response:
        """It is over."""
        await self._operations.leave(operation_id_of(request), request[SESSION])
        return web.Response(status=NO_CONTENT, headers=CLEARED)

    async def _view(self, operation_id: UUID, session: Session) -> shapes.OperationView:
        operation = await self._operations.of(operation_id, session)
        told = {} if operation.code is None else Refusal.of(operation.code).model_dump(exclude={"code"})
        return shapes.OperationView(
            operation_id=operation_id,
            purpose=operation.purpose,
            state=operation.state,
            code=operation.code,
            has_mykey_id=operation.citizen_id is not None,
            signature_due=operation.kept is not None and operation.kept.signature_due,
            name=await self._name(operation),
            ends_at=operation.ends_at,
            **told,
        )

    async def _name(self, operation: Operation) -> str | None:
        """For the clerk to compare, as long as the card is in."""
        if operation.citizen_id is None or operation.state not in {"proven", "acting"}:
            return None
        found = (await self._bus.call(ProfileOf(citizen_id=operation.citizen_id), DEADLINE_S)).profile
        return None if found is None else found.name

    # ------------------------------------------------------------------------------------------------------ acts

    async def _offer(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.OfferForm, BODY_LIMIT_BYTES)
        return json_response(await self._acts.offer(operation_id, session, form.attempt))

    async def _check(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.ChosenMyKeyId, BODY_LIMIT_BYTES)
        return json_response(await self._acts.check(operation_id, session, form.mykey_id))

    async def _create(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.CreateForm, BODY_LIMIT_BYTES)
        await self._acts.create(operation_id, session, form)
        return json_response(await self._view(operation_id, session))

    async def _change(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.ChosenMyKeyId, BODY_LIMIT_BYTES)
        await self._acts.change(operation_id, session, form.mykey_id)
        return json_response(await self._view(operation_id, session))

    async def _loss(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._acts.loss(operation_id, session))

    async def _revoke(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        await self._acts.revoke(operation_id, session)
        return json_response(await self._view(operation_id, session))

    async def _number(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._acts.read_number(operation_id, session))

    async def _present(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._acts.present(operation_id, session))

    async def _register(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.RegisterForm, BODY_LIMIT_BYTES)
        return json_response(await self._acts.register(operation_id, session, form))

    async def _look_up(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._acts.look_up(operation_id, session))

    async def _merge_choices(self, _request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        return json_response(await self._merging.choices(operation_id, session))

    async def _merge(self, request: web.Request, operation_id: UUID, session: Session) -> web.Response:
        form = await read_model(request, shapes.MergeForm, BODY_LIMIT_BYTES)
        return json_response(await self._merging.merge(operation_id, session, form))
