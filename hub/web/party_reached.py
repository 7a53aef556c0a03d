"""Is this partner, shop or fund in order? It comes to us, so what can be tried is what its requests need."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from hub.clock import JAPAN
from hub.component import Context
from hub.database import reachable
from hub.web.signatures import AGE_LIMIT_S, AHEAD_LIMIT_S
from schemas.connections import ConnectionStep, ConnectionTested, PartnerReached, ShopReached
from schemas.parties import PartyKeyNames, PartyKeysOf, PartyKind

DEADLINE_S: Final = 5.0
REMEMBERED: Final = timedelta(seconds=AGE_LIMIT_S + AHEAD_LIMIT_S)
"""How long a request's nonce is kept after its signature was made."""


class PartyReached:
    """Looks at a party's keys, and at when it used one of them last; `last_nonce` is the door's own statement."""

    def __init__(self, context: Context, last_nonce: str, kinds: Collection[PartyKind]) -> None:
        self._bus = context.bus
        self._database = context.database
        self._clock = context.clock
        self._last_nonce = last_nonce
        self._kinds = kinds
        self._what = " or ".join(sorted(kinds))

    async def __call__(self, query: PartnerReached | ShopReached) -> ConnectionTested:
        """Registered as what comes in by this door; has a key; has signed a request with it lately."""
        found = await self._bus.call(PartyKeysOf(party_id=query.party_id), deadline_s=DEADLINE_S)
        now = self._clock.now()
        keys = [name for name in found.keys if name not in found.ends or found.ends[name] > now]
        steps = [self._registered(found)]
        if steps[-1].ok:
            named = ", ".join(f"{name} ({found.keys[name].value})" for name in keys)
            steps.append(ConnectionStep(name="key registered", ok=bool(keys), detail=named or "it has none"))
        if steps[-1].ok:
            steps.append(await self._heard_from(keys))
        return ConnectionTested(steps=steps)

    async def _heard_from(self, key_ids: list[str]) -> ConnectionStep:
        async with reachable(), self._database.connection() as connection:
            forgotten_at = await connection.fetchval(self._last_nonce, key_ids)
        if forgotten_at is None:
            return ConnectionStep(name="signed request lately", ok=False, detail="none in the last minutes")
        signed_at = (forgotten_at - REMEMBERED).astimezone(JAPAN)
        return ConnectionStep(name="signed request lately", ok=True, detail=f"{signed_at:%Y-%m-%d %H:%M:%S}")

    def _registered(self, found: PartyKeyNames) -> ConnectionStep:
        detail = found.name if found.kind is not None else "no such party"
        if found.kind is not None and found.kind not in self._kinds:
            detail = f"{found.name} is a {found.kind}"
        return ConnectionStep(name=f"registered as a {self._what}", ok=found.kind in self._kinds, detail=detail)
