"""Where a terminal stands: whose municipality it is, and which place its points are settled with."""

from typing import Final, NamedTuple
from uuid import UUID

from hub.bus import Bus
from hub.errors import TransientError
from schemas.municipalities import PoolNamesOf
from schemas.places import place_id_of
from schemas.terminals import AgentKeyOf

DEADLINE_S: Final = 10.0


class PlaceNotToldError(TransientError):
    """A registry of the release before has answered, which tells no place."""


class Here(NamedTuple):
    """A terminal's place."""

    lg_code: str
    place_id: UUID
    place: str


async def here(bus: Bus, terminal_id: str) -> Here:
    """As it was planned, which never changes. Raises PlaceNotToldError."""
    found = await bus.call(AgentKeyOf(terminal_id=terminal_id), DEADLINE_S)
    if not found.place:
        raise PlaceNotToldError(terminal_id)
    return Here(found.lg_code, place_id_of(found.lg_code, found.place), found.place)


class PoolTold(NamedTuple):
    """What people call a pool, and whose it is."""

    name: str
    holder: str


async def name_of(bus: Bus, pool: str) -> str:
    """What people call it."""
    return (await names_of(bus, [pool]))[pool].name


async def names_of(bus: Bus, pools: list[str]) -> dict[str, PoolTold]:
    """By pool; one that nobody knows is called by itself."""
    told = {pool: PoolTold(pool, "") for pool in pools}
    found = await bus.call(PoolNamesOf(pools=pools), DEADLINE_S)
    return told | {one.pool: PoolTold(one.name, one.holder) for one in found.pools}
