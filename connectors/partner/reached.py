"""Is this partner in order? It comes to us, so what can be tried is what its requests need."""

from datetime import timedelta
from typing import Final

from connectors.partner import statements
from hub.bus import Bus
from hub.clock import JAPAN
from hub.database import Database, reachable
from hub.web.signatures import AGE_LIMIT_S, AHEAD_LIMIT_S
from schemas.connections import ConnectionStep, ConnectionTested, PartnerReached
from schemas.parties import PartyKeyNames, PartyKeysOf, PartyKind

DEADLINE_S: Final = 5.0
REMEMBERED: Final = timedelta(seconds=AGE_LIMIT_S + AHEAD_LIMIT_S)
"""How long a request's nonce is kept after its signature was made."""


class Reached:
    """Looks at a partner's keys, and at when it used one of them last."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database

    async def __call__(self, query: PartnerReached) -> ConnectionTested:
        """Registered as a partner; has a key; has signed a request with it lately."""
        found = await self._bus.call(PartyKeysOf(party_id=query.party_id), deadline_s=DEADLINE_S)
        steps = [_registered(found)]
        if steps[-1].ok:
            keys = ", ".join(f"{name} ({algorithm.value})" for name, algorithm in found.keys.items())
            steps.append(ConnectionStep(name="key registered", ok=bool(keys), detail=keys or "it has none"))
        if steps[-1].ok:
            steps.append(await self._heard_from(list(found.keys)))
        return ConnectionTested(steps=steps)

    async def _heard_from(self, key_ids: list[str]) -> ConnectionStep:
        async with reachable(), self._database.connection() as connection:
            forgotten_at = await connection.fetchval(statements.LAST_NONCE, key_ids)
        if forgotten_at is None:
            return ConnectionStep(name="signed request lately", ok=False, detail="none in the last minutes")
        signed_at = (forgotten_at - REMEMBERED).astimezone(JAPAN)
        return ConnectionStep(name="signed request lately", ok=True, detail=f"{signed_at:%Y-%m-%d %H:%M:%S}")


def _registered(found: PartyKeyNames) -> ConnectionStep:
    detail = found.name if found.kind is not None else "no such party"
    if found.kind not in {None, PartyKind.partner}:
        detail = f"{found.name} is a {found.kind}"
    return ConnectionStep(name="registered as a partner", ok=found.kind is PartyKind.partner, detail=detail)
