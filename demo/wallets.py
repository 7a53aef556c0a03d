"""Small things that several acts need: who holds what, and the common fields of a posting command."""

import hashlib
from typing import Any
from uuid import UUID

from demo.stage import CALL_DEADLINE_S, Stage
from schemas.points import HeldIn


async def holders(stage: Stage, pool: str, base_lg_code: str | None = None) -> dict[UUID, int]:
    """Citizen → points of this pool, in the order of the world; whoever has none is missing.

    Only of those with this base municipality, where one is named.
    """
    ids = [
        citizen.citizen_id
        for citizen in stage.world.citizens
        if base_lg_code is None or citizen.base_lg_code == base_lg_code
    ]
    totals = (await stage.process.bus.call(HeldIn(pool=pool, citizen_ids=ids), CALL_DEADLINE_S)).totals
    return {citizen_id: totals[str(citizen_id)] for citizen_id in ids if str(citizen_id) in totals}


def posting(citizen_id: UUID, what: str, number: int) -> dict[str, Any]:
    """The fields that all posting commands share, for what a citizen asks by itself."""
    command_id = f"{what}-{number}"
    return {
        "party_id": citizen_id,
        "command_id": command_id,
        "request_hash": hashlib.sha256(command_id.encode()).digest()[:16],
        "citizen_id": citizen_id,
    }
