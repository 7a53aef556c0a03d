"""Where a partner's points may go, as the operator has agreed with it; where nothing was agreed, anywhere."""

from typing import Final
from uuid import UUID

from hub.bus import Bus
from hub.clock import Clock
from hub.web.signed_parties import Remembered
from schemas.parties import PartyLimits, PartyLimitsOf

DEADLINE_S: Final = 5.0


class Destinations:
    """Asked of the registry, and remembered for as long as a partner's keys are."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._limits = Remembered(self._find, clock)

    async def are_agreed(self, party_id: UUID, pool: str) -> bool:
        """Whether points may go there. Raises TransientError."""
        agreed = await self.agreed(party_id)
        return agreed is None or pool in agreed

    async def agreed(self, party_id: UUID) -> frozenset[str] | None:
        """Pools; None is any. Raises TransientError."""
        limits = await self._limits(party_id)
        return None if limits is None or limits.pools is None else frozenset(limits.pools)

    async def _find(self, party_id: UUID) -> PartyLimits | None:
        return await self._bus.call(PartyLimitsOf(party_id=party_id), DEADLINE_S)
