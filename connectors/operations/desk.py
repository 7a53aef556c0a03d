"""Where the terminal program works: on the database itself, or over the operators' door."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader
from pydantic import BaseModel, ValidationError

from connectors.operations.acts import Act, Actor, Role
from connectors.operations.audience import PREFIX
from connectors.operations.component import component
from connectors.operations.correction_shapes import Correction, CorrectionAsked, CorrectionPage
from connectors.operations.operators import HASH_PURPOSE, Operator, Operators
from connectors.operations.seeing import After, AfterDelivery
from connectors.operations.shapes import (
    ActPage,
    ConnectionAsked,
    Copied,
    CopyAsked,
    DeliveryPage,
    Flow,
    Group,
    Groups,
    MessagePage,
    NoteAsked,
    Noted,
    OperatorAdded,
    OperatorAsked,
    OperatorList,
    OperatorRevoked,
    OutageList,
    Pause,
    ReasonAsked,
    Redrive,
    RedriveAsked,
    RemarkAsked,
    ReplayAsked,
    Replayed,
    Resumed,
    WebhookPage,
)
from connectors.operations.work import OWN_NAME, Work, system_actor
from hub import serving
from hub.clock import SystemClock
from hub.component import Component, Context, Installed
from hub.database import Database
from hub.errors import PermanentError, TransientError
from hub.keys import Keys
from hub.outages import Outage
from hub.process import HubProcess
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.store import Search, StoredMessage, WaitingDelivery, Way
from hub.web.pages import encode_cursor
from schemas.connections import ConnectionTested
from schemas.problems import Problem, ProblemCode, problem_type
from schemas.webhooks import Webhooks

TOKEN_VARIABLE: Final = "MYKEY_OPERATOR_TOKEN"  # noqa: S105 - the name of an environment variable
CONNECTIONS: Final = 2
ANSWER_TIMEOUT_S: Final = 30.0
ANSWER_LIMIT_BYTES: Final = 64 << 20
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
FIRST_ERROR: Final = 400

Model = TypeVar("Model", bound=BaseModel)


class NoTokenError(PermanentError):
    """Put your operator's token into the environment variable MYKEY_OPERATOR_TOKEN."""


class OpenLineError(PermanentError):
    """A token goes over https:// only, except on this machine."""


class RefusedError(PermanentError):
    """The hub has refused this."""


class NoHubThereError(PermanentError):
    """What answers there is no hub of this version."""


class Desk(Protocol):
    """All that the terminal program can see and do."""

    @property
    def place(self) -> str:
        """Where this is, for a person."""

    async def flow(self) -> Flow:
        """What flows."""

    async def parked(self) -> list[Group]:
        """What is parked, by kind of failure."""

    async def deliveries(self, state: str, fingerprint: str | None, after: int, limit: int) -> list[WaitingDelivery]:
        """Deliveries in a state."""

    async def outages(self, limit: int) -> list[Outage]:
        """Other sides that are down, then the latest that were."""

    async def messages(self, wanted: Search) -> list[StoredMessage]:
        """Messages that fit, latest first."""

    async def way(self, message_id: UUID) -> Way:
        """One message's whole way, masked."""

    async def acts(self, before: UUID | None, limit: int) -> list[Act]:
        """The audit, latest first."""

    async def operators(self) -> list[Operator]:
        """All operators."""

    async def webhooks(self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool) -> Webhooks:
        """A party's endpoint and what it was told, latest first."""

    async def reveal(self, message_id: UUID, asked: ReasonAsked) -> Way:
        """One message's whole way with personal data."""

    async def redrive(self, asked: RedriveAsked) -> Redrive:
        """Begin to redrive."""

    async def redriven(self, redrive_id: UUID) -> Redrive:
        """How far that is by now."""

    async def replay(self, asked: ReplayAsked) -> Replayed:
        """Have a party told again."""

    async def note(self, asked: NoteAsked) -> Noted:
        """Leave a note."""

    async def copy(self, message_id: UUID, asked: CopyAsked) -> Copied:
        """Deliver an edited copy instead."""

    async def pause(self, name: str, asked: ReasonAsked) -> Pause:
        """Pause a component."""

    async def resume(self, name: str, asked: RemarkAsked) -> Resumed:
        """Let it go on."""

    async def test_connection(self, name: str, asked: ConnectionAsked) -> ConnectionTested:
        """Have a component try its other side."""

    async def add_operator(self, asked: OperatorAsked) -> OperatorAdded:
        """Add an operator."""

    async def revoke_operator(self, name: str, asked: ReasonAsked) -> OperatorRevoked:
        """Revoke one."""

    async def corrections(self, before: UUID | None, limit: int, *, only_open: bool) -> list[Correction]:
        """Requests for corrections, latest first."""

    async def correct(self, asked: CorrectionAsked) -> Correction:
        """Ask for one."""

    async def approve_correction(self, correction_id: UUID, asked: RemarkAsked) -> Correction:
        """Approve what somebody else asked for."""

    async def reject_correction(self, correction_id: UUID, asked: ReasonAsked) -> Correction:
        """Reject it."""


@asynccontextmanager
async def desk_of(settings: Settings, url: str | None) -> AsyncIterator[Desk]:
    """The desk over the door at `url`, or the one on the database of the settings.

    Raises NoTokenError, OpenLineError, NotMigratedError; TransientError where PostgreSQL does not answer.
    """
    if url is not None:
        async with _session(url) as client:
            yield RemoteDesk(url, client)
        return
    async with serving.migrated(settings) as owner_url:
        keys = Keys(settings.key())
        database = Database(OWN_NAME, owner_url, CONNECTIONS, SystemClock(), keys.sealer(PURPOSE))
        await database.open()
        try:
            yield LocalDesk(settings, owner_url, database, Operators(keys.hasher(HASH_PURPOSE)), system_actor())
        finally:
            await database.close()


def _session(url: str) -> ClientSession:
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token.isascii() or not token:
        raise NoTokenError
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise OpenLineError
    return ClientSession(
        headers={"Authorization": f"Bearer {token}"}, timeout=ClientTimeout(ANSWER_TIMEOUT_S), trust_env=False
    )


class LocalDesk:
    """On the database, as its owner; each act is written down under the operating system's name."""

    def __init__(
        self, settings: Settings, owner_url: str, database: Database, operators: Operators, actor: Actor
    ) -> None:
        self._settings = settings
        self._owner_url = owner_url
        self._database = database
        self._operators = operators
        self._actor = actor
        work = Work(database, None, operators)
        self.flow, self.parked, self.deliveries = work.flow, work.parked, work.deliveries
        self.outages, self.messages, self.way = work.outages, work.messages, work.way
        self.acts, self.operators = work.acts, work.operators
        self.redriven = work.redrives.go_on
        self.corrections = work.corrections.latest
        self._work = work

    @property
    def place(self) -> str:
        """The database, and who works on it."""
        return f"{urlsplit(self._owner_url).path.lstrip('/')}, as {self._actor.name}"

    async def reveal(self, message_id: UUID, asked: ReasonAsked) -> Way:
        """See Desk."""
        return await self._work.reveal(self._actor, message_id, asked)

    async def redrive(self, asked: RedriveAsked) -> Redrive:
        """See Desk; here `redriven` is what goes on with it."""
        return await self._work.redrive(self._actor, asked)

    async def replay(self, asked: ReplayAsked) -> Replayed:
        """See Desk."""
        return await self._work.replay(self._actor, asked)

    async def note(self, asked: NoteAsked) -> Noted:
        """See Desk."""
        return await self._work.note(self._actor, asked)

    async def copy(self, message_id: UUID, asked: CopyAsked) -> Copied:
        """See Desk."""
        return await self._work.copy(self._actor, message_id, asked)

    async def pause(self, name: str, asked: ReasonAsked) -> Pause:
        """See Desk."""
        return await self._work.pause(self._actor, name, asked)

    async def resume(self, name: str, asked: RemarkAsked) -> Resumed:
        """See Desk."""
        return await self._work.resume(self._actor, name, asked)

    async def test_connection(self, name: str, asked: ConnectionAsked) -> ConnectionTested:
        """See Desk."""
        async with self._asking() as work:
            return await work.test_connection(self._actor, name, asked)

    async def webhooks(self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool) -> Webhooks:
        """See Desk."""
        async with self._asking() as work:
            return await work.webhooks(party_id, before, limit, undelivered=undelivered)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Work]:
        """For what is asked of the processes at work: for a moment this is a process too."""
        made = [Installed(OWN_NAME, _for_asking)]
        async with HubProcess(self._settings, SystemClock(), made, self._owner_url) as process:
            yield Work(self._database, process, self._operators)

    async def add_operator(self, asked: OperatorAsked) -> OperatorAdded:
        """See Desk."""
        return await self._work.add_operator(self._actor, asked)

    async def revoke_operator(self, name: str, asked: ReasonAsked) -> OperatorRevoked:
        """See Desk."""
        return await self._work.revoke_operator(self._actor, name, asked)

    async def correct(self, asked: CorrectionAsked) -> Correction:
        """See Desk; raises NotByNameError here, as do the next two."""
        return await self._work.corrections.ask(self._actor, asked)

    async def approve_correction(self, correction_id: UUID, asked: RemarkAsked) -> Correction:
        """See Desk."""
        return await self._work.corrections.approve(self._actor, correction_id, asked)

    async def reject_correction(self, correction_id: UUID, asked: ReasonAsked) -> Correction:
        """See Desk."""
        return await self._work.corrections.reject(self._actor, correction_id, asked)


def _for_asking(context: Context) -> Component:
    return replace(component(context), routes=(), jobs=())


class RemoteDesk:
    """Over the door, as the operator whose token it is."""

    def __init__(self, url: str, client: ClientSession) -> None:
        self._url = url.rstrip("/").removesuffix(PREFIX)
        self._client = client

    @property
    def place(self) -> str:
        """The address."""
        return self._url

    async def flow(self) -> Flow:
        """See Desk."""
        return await self._get("/flow", Flow)

    async def parked(self) -> list[Group]:
        """See Desk."""
        return (await self._get("/parked", Groups)).items

    async def deliveries(self, state: str, fingerprint: str | None, after: int, limit: int) -> list[WaitingDelivery]:
        """See Desk."""
        cursor = encode_cursor(AfterDelivery(id=after)) if after else None
        query = {"state": state, "fingerprint": fingerprint, "cursor": cursor, "limit": limit}
        return (await self._get("/deliveries", DeliveryPage, query)).items

    async def outages(self, limit: int) -> list[Outage]:
        """See Desk."""
        return (await self._get("/outages", OutageList, {"limit": limit})).items

    async def messages(self, wanted: Search) -> list[StoredMessage]:
        """See Desk."""
        query = {
            "type": wanted.type,
            "subject": wanted.subject,
            "correlation": wanted.correlation_id,
            "key": wanted.business_key,
            "since": wanted.since.isoformat() if wanted.since else None,
            "until": wanted.until.isoformat() if wanted.until else None,
            "cursor": encode_cursor(After(id=wanted.before)) if wanted.before else None,
            "limit": wanted.limit,
        }
        return (await self._get("/messages", MessagePage, query)).items

    async def way(self, message_id: UUID) -> Way:
        """See Desk."""
        return await self._get(f"/messages/{message_id}", Way)

    async def webhooks(self, party_id: UUID, before: UUID | None, limit: int, *, undelivered: bool) -> Webhooks:
        """See Desk."""
        cursor = encode_cursor(After(id=before)) if before else None
        query = {"undelivered": "true" if undelivered else "false", "cursor": cursor, "limit": limit}
        return await self._get(f"/webhooks/{party_id}", WebhookPage, query)

    async def acts(self, before: UUID | None, limit: int) -> list[Act]:
        """See Desk."""
        cursor = encode_cursor(After(id=before)) if before else None
        return (await self._get("/acts", ActPage, {"cursor": cursor, "limit": limit})).items

    async def operators(self) -> list[Operator]:
        """See Desk."""
        return (await self._get("/operators", OperatorList)).items

    async def reveal(self, message_id: UUID, asked: ReasonAsked) -> Way:
        """See Desk."""
        return await self._post(f"/messages/{message_id}/reveal", asked, Way, Role.supervisor)

    async def redrive(self, asked: RedriveAsked) -> Redrive:
        """See Desk."""
        return await self._post("/redrives", asked, Redrive)

    async def replay(self, asked: ReplayAsked) -> Replayed:
        """See Desk."""
        return await self._post("/webhook-replays", asked, Replayed)

    async def redriven(self, redrive_id: UUID) -> Redrive:
        """See Desk."""
        return await self._get(f"/redrives/{redrive_id}", Redrive)

    async def note(self, asked: NoteAsked) -> Noted:
        """See Desk."""
        return await self._post("/notes", asked, Noted)

    async def copy(self, message_id: UUID, asked: CopyAsked) -> Copied:
        """See Desk."""
        return await self._post(f"/messages/{message_id}/copies", asked, Copied, Role.supervisor)

    async def pause(self, name: str, asked: ReasonAsked) -> Pause:
        """See Desk."""
        return await self._post(f"/components/{name}/pause", asked, Pause)

    async def resume(self, name: str, asked: RemarkAsked) -> Resumed:
        """See Desk."""
        return await self._post(f"/components/{name}/resume", asked, Resumed)

    async def test_connection(self, name: str, asked: ConnectionAsked) -> ConnectionTested:
        """See Desk."""
        return await self._post(f"/components/{name}/connection-test", asked, ConnectionTested)

    async def add_operator(self, asked: OperatorAsked) -> OperatorAdded:
        """See Desk."""
        return await self._post("/operators", asked, OperatorAdded, Role.supervisor)

    async def revoke_operator(self, name: str, asked: ReasonAsked) -> OperatorRevoked:
        """See Desk."""
        return await self._post(f"/operators/{name}/revoke", asked, OperatorRevoked, Role.supervisor)

    async def corrections(self, before: UUID | None, limit: int, *, only_open: bool) -> list[Correction]:
        """See Desk."""
        cursor = encode_cursor(After(id=before)) if before else None
        query = {"state": "open" if only_open else "all", "cursor": cursor, "limit": limit}
        return (await self._get("/corrections", CorrectionPage, query)).items

    async def correct(self, asked: CorrectionAsked) -> Correction:
        """See Desk."""
        return await self._post("/corrections", asked, Correction)

    async def approve_correction(self, correction_id: UUID, asked: RemarkAsked) -> Correction:
        """See Desk."""
        return await self._post(f"/corrections/{correction_id}/approve", asked, Correction, Role.supervisor)

    async def reject_correction(self, correction_id: UUID, asked: ReasonAsked) -> Correction:
        """See Desk."""
        return await self._post(f"/corrections/{correction_id}/reject", asked, Correction, Role.supervisor)

    async def _get(self, path: str, model: type[Model], query: Mapping[str, object] | None = None) -> Model:
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return await self._ask("GET", path, model, None, given, Role.viewer)

    async def _post(self, path: str, asked: BaseModel, model: type[Model], role: Role = Role.operator) -> Model:
        """`role`: the least that may do it, as the door has it (doing.py)."""
        return await self._ask("POST", path, model, asked.model_dump_json().encode(), {}, role)

    async def _ask(
        self, method: str, path: str, model: type[Model], body: bytes | None, query: Mapping[str, str], role: Role
    ) -> Model:
        headers = {} if body is None else {"Content-Type": "application/json"}
        url = f"{self._url}{PREFIX}{path}"
        try:
            async with self._client.request(
                method, url, data=body, params=query, headers=headers, allow_redirects=False
            ) as answer:
                raw, status = await _whole(answer.content), answer.status
        except (ClientError, TimeoutError) as error:
            raise TransientError(f"{self._url} does not answer: {type(error).__name__}") from error
        try:
            if status >= FIRST_ERROR:
                raise _refused(Problem.model_validate_json(raw), role)
            return model.model_validate_json(raw)
        except ValidationError as error:
            raise NoHubThereError(f"{self._url} answered {status}") from error


async def _whole(content: StreamReader) -> bytes:
    """To its end: one read gives what has come so far. Raises NoHubThereError where it is far too long."""
    raw = bytearray()
    async for chunk in content.iter_any():
        raw += chunk
        if len(raw) > ANSWER_LIMIT_BYTES:
            raise NoHubThereError(f"an answer of more than {ANSWER_LIMIT_BYTES} bytes")
    return bytes(raw)


def _refused(problem: Problem, role: Role) -> RefusedError:
    if problem.type == problem_type(ProblemCode.login):
        return RefusedError(
            f"the token in {TOKEN_VARIABLE} opens nothing, or no longer: have one made on the hub's own machine, by"
            " `mykey-hub console operators add NAME ROLE`"
        )
    if problem.type == problem_type(ProblemCode.forbidden):
        return RefusedError(
            f"your token may not do this, which needs the role `{role}`: ask a supervisor to do it, or for a token of"
            f" that role (`mykey-hub console operators add NAME {role}`)"
        )
    fields = [f"{one.pointer}: {one.detail}" for one in problem.errors]
    return RefusedError("\n  ".join([f"{problem.title}. {problem.detail}", *fields]))
