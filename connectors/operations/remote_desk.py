"""The desk over the operators' door, with the token of an operator."""

import os
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader
from pydantic import BaseModel, ValidationError

from connectors.operations.acts import Act, Role
from connectors.operations.audience import PREFIX
from connectors.operations.correction_shapes import Correction, CorrectionAsked, CorrectionPage
from connectors.operations.operators import Operator
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
from hub.errors import PermanentError, TransientError
from hub.outages import Outage
from hub.store import Search, StoredMessage, WaitingDelivery, Way
from hub.web.pages import encode_cursor
from schemas.connections import ConnectionTested
from schemas.problems import Problem, ProblemCode, problem_type
from schemas.webhooks import Webhooks

TOKEN_VARIABLE: Final = "MYKEY_OPERATOR_TOKEN"  # noqa: S105 - the name of an environment variable
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


def session_of(url: str) -> ClientSession:
    """For the door at `url`. Raises NoTokenError, OpenLineError."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token.isascii() or not token:
        raise NoTokenError
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise OpenLineError
    return ClientSession(
        headers={"Authorization": f"Bearer {token}"}, timeout=ClientTimeout(ANSWER_TIMEOUT_S), trust_env=False
    )


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
