"""A counter's browser sessions: begun by a ticket of the terminal's agent, known by a token kept as a keyed hash."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import JsonValue

from connectors.terminal import counter_statements as sql
from hub.apart import committed
from hub.bus import Bus
from hub.clock import Clock
from hub.database import Database, reachable
from hub.ids import uuid7
from hub.keys import Hasher
from hub.transaction import Transaction
from hub.web.addresses import address_of
from hub.web.app import Caller
from hub.web.limits import RateLimiter
from hub.web.problems import ProblemError
from schemas.counter import TICKET_GOOD_FOR_S, TicketParts, parts_of
from schemas.problems import ProblemCode, Refusal, RefusalCode
from schemas.terminals import AgentKeyOf, TerminalKind

IDLE: Final = timedelta(hours=8)
TOUCH_AFTER: Final = timedelta(minutes=1)
"""A session that was used just now is not written again."""
TOKEN_BYTES: Final = 32
TOKEN_PREFIX: Final = "mkc_"  # noqa: S105 - by which a token is known for what it is, wherever it turns up
TOKEN_LIMIT_CHARS: Final = 64
USE: Final = "counter.use"
DEADLINE_S: Final = 5.0
MISS_RATE_PER_S: Final = 0.2
MISS_BURST: Final = 20
"""Of one address: tokens that open nothing."""
SECURITY: Final[Mapping[str, JsonValue]] = {
    "counter_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that `POST /api/counter/sessions` answered to a ticket of the terminal's agent.",
    }
}

log: Final = structlog.get_logger()


class Session(NamedTuple):
    """A browser at this terminal."""

    session_id: UUID
    terminal_id: str
    kind: TerminalKind
    issuer_id: str | None
    point_use_too: bool


SESSION: Final = web.RequestKey("counter_session", Session)


class CounterSessions:
    """Begins, recognises and ends them."""

    def __init__(self, database: Database, bus: Bus, hasher: Hasher, hub_origin: str, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._hasher = hasher
        self._origin = hub_origin
        self._clock = clock
        self._misses = RateLimiter(MISS_RATE_PER_S, MISS_BURST, monotonic=clock.monotonic)

    async def begin(self, ticket: str) -> tuple[Session, str]:
        """The session and its token.

        Raises ProblemError login (401): the same for an unknown terminal, a wrong signature, a ticket that is old or
        was used; that a terminal is suspended is told to its own agent's browser alone.
        """
        parts = parts_of(ticket)
        found = await self._bus.call(AgentKeyOf(terminal_id=parts.terminal_id), DEADLINE_S)
        if found.public_key is None or not self._is_signed(parts, found.public_key):
            raise _refused(RefusalCode.terminal_unproven)
        if found.suspended:
            raise _refused(RefusalCode.terminal_suspended)
        session = Session(uuid7(), parts.terminal_id, TerminalKind(found.kind), found.issuer_id, found.point_use_too)
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        async with reachable():
            if not await committed(self._database, lambda tx: self._begin(session, token, ticket, parts.at_s, tx)):
                raise _refused(RefusalCode.terminal_unproven)
        log.info("counter_session_begun", terminal_id=session.terminal_id)
        return session, token

    async def _begin(self, session: Session, token: str, ticket: str, at_s: int, tx: Transaction) -> bool:
        if abs(tx.now.timestamp() - at_s) > TICKET_GOOD_FOR_S:
            return False
        if not await tx.fetch_value(sql.USE_TICKET, sha256(ticket.encode()).digest(), tx.now):
            return False
        await tx.execute(
            sql.BEGIN_SESSION,
            session.session_id,
            self._hash(token),
            session.terminal_id,
            session.kind.value,
            session.issuer_id,
            session.point_use_too,
            tx.now,
        )
        return True

    async def __call__(self, request: web.Request) -> Caller:
        """Whose token it is. Raises ProblemError login (401), the same for unknown, ended and idle too long."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        session = None
        if scheme.lower() == "bearer" and 0 < len(token) <= TOKEN_LIMIT_CHARS and token.isascii():
            session = await self._of(token)
        if session is None:
            self._misses.check(address_of(request))
            raise ProblemError(ProblemCode.login, headers={"WWW-Authenticate": "Bearer"})
        request[SESSION] = session
        return Caller(session.session_id, frozenset({USE}))

    async def _of(self, token: str) -> Session | None:
        now = self._clock.now()
        async with reachable():
            async with self._database.reading() as reading:
                row = await reading.fetch_row(sql.SESSION, self._hash(token), now - IDLE)
            if row is not None and now - row["used_at"] > TOUCH_AFTER:
                async with self._database.transaction() as tx:
                    await tx.execute(sql.TOUCH_SESSION, row["session_id"], now)
        if row is None:
            return None
        kind, too = TerminalKind(row["kind"]), row["point_use_too"]
        return Session(row["session_id"], row["terminal_id"], kind, row["issuer_id"], too)

    def _is_signed(self, parts: TicketParts, public_key: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(parts.signature, parts.text(self._origin))
        except InvalidSignature:
            return False
        return True

    def _hash(self, token: str) -> bytes:
        return self._hasher.hash(token.encode())


async def sweep_sessions(now: datetime, tx: Transaction) -> None:
    """Forget what opens nothing any more; a ticket is too old by itself after twice its time."""
    await tx.execute(sql.SWEEP_TICKETS, now - timedelta(seconds=2 * TICKET_GOOD_FOR_S + 1))
    await tx.execute(sql.SWEEP_SESSIONS, now.astimezone(UTC) - IDLE)


def _refused(code: RefusalCode) -> ProblemError:
    refusal = Refusal.of(code)
    log.warning("counter_session_refused", code=code.value)
    return ProblemError(ProblemCode.login, refusal.detail, refusal.detail_ja)
