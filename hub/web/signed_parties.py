"""Who signs as which party: keys remembered for a while, each nonce once.

For doors whose callers sign by RFC 9421 (`hub.web.signatures`).
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from hub.bus import Bus
from hub.clock import Clock
from hub.database import Database, reachable
from hub.web.app import Caller
from hub.web.signatures import VerificationKey, Verifier
from schemas.parties import PartyKeyOf, PartyKind

KEY_CACHE_S: Final = 30.0
KEY_CACHE_LIMIT: Final = 10_000
KEY_DEADLINE_S: Final = 5.0


class RememberedKeys:
    """Keys as `find` finds them, remembered for at most `KEY_CACHE_S`; what is not there is not remembered."""

    def __init__(
        self, find: Callable[[str], Awaitable[VerificationKey | None]], clock: Clock, limit: int = KEY_CACHE_LIMIT
    ) -> None:
        self._find = find
        self._clock = clock
        self._limit = limit
        self._known: OrderedDict[str, tuple[float, VerificationKey]] = OrderedDict()

    async def __call__(self, key_id: str) -> VerificationKey | None:
        """The key, or None. Raises what `find` raises."""
        known = self._known.get(key_id)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1]
        key = await self._find(key_id)
        self._known.pop(key_id, None)
        if key is not None:
            self._known[key_id] = self._clock.monotonic() + KEY_CACHE_S, key
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        return key


def party_keys(bus: Bus, clock: Clock, permissions: Mapping[PartyKind, frozenset[str]]) -> RememberedKeys:
    """The keys of parties of these kinds and what each kind may do, asked of the registry; other parties' are unknown.

    Finding one raises TransientError while the registry does not answer.
    """

    async def find(key_id: str) -> VerificationKey | None:
        found = await bus.call(PartyKeyOf(key_id=key_id), deadline_s=KEY_DEADLINE_S)
        allowed = None if found.kind is None else permissions.get(found.kind)
        if found.party_id is None or found.algorithm is None or allowed is None:
            return None
        return VerificationKey(key_id, found.algorithm, found.key_bytes, found.party_id, allowed)

    return RememberedKeys(find, clock)


class Nonces:
    """Nonces in a component's own table, for all web processes together; the two statements are its own."""

    def __init__(self, database: Database, first_use: str, forget: str) -> None:
        self._database = database
        self._first_use = first_use
        self._forget = forget

    async def first_use(self, key_id: str, nonce: str, expires_at: datetime) -> bool:
        """Whether this key has not used this nonce before. One statement, which commits by itself."""
        async with reachable(), self._database.connection() as connection:
            return await connection.fetchval(self._first_use, key_id, nonce, expires_at) is True

    async def forget(self) -> None:
        """Drop those whose signatures are too old anyway."""
        async with reachable(), self._database.connection() as connection:
            await connection.execute(self._forget, real_now())


class SignedByParty:
    """Proves by the signature which party is asking."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def __call__(self, request: web.Request) -> Caller:
        """Raises ProblemError signature (401)."""
        key = await self._verifier.verify(request)
        return Caller(key.party_id, key.permissions)


def real_now() -> datetime:
    """The machine's time, not the hub's clock.

    How old a signature is, is between two machines: also while a story lives three weeks ahead.
    """
    return datetime.now(UTC)
