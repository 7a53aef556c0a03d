"""Names of what points are of: municipalities' schemes, events, partners. Asked of the registry once a minute."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

from connectors.portal.ground.language import _
from hub.bus import Bus
from schemas.links import PartiesOf, PartyView
from schemas.municipalities import Scheme, SchemesOf, SupportEvent, SupportEventsOf
from schemas.values import RESERVE, event_pool, scheme_pool

FRESH_S: Final = 60.0
DEADLINE_S: Final = 5.0
PARTIES_LIMIT: Final = 20_000
"""More parties than this are not remembered."""


@dataclass(frozen=True, slots=True)
class PoolName:
    """A pool as people know it: the points' name, whose they are, an event's last day of use."""

    name: str
    holder: str = ""
    lg_code: str = ""
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Pools:
    """All pools there are, by their names in messages."""

    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    """By lg_code."""
    support_events: Mapping[UUID, SupportEvent] = field(default_factory=dict)
    names: Mapping[str, PoolName] = field(default_factory=dict)

    def name(self, pool: str) -> PoolName:
        """What people call it."""
        if pool == RESERVE:
            return PoolName(_("留保ポイント"))
        return self.names.get(pool) or PoolName(_("名称を確認できないポイント"))


class Catalogue:
    """One for the process."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._pools = Pools()
        self._asked_s: float | None = None
        self._asking = asyncio.Lock()
        self._parties: dict[UUID, PartyView] = {}
        self._parties_s = 0.0

    async def pools(self) -> Pools:
        """As they were a minute ago at the most."""
        if not self._is_fresh():
            async with self._asking:
                if not self._is_fresh():
                    self._pools = await self._ask()
                    self._asked_s = self._monotonic()
        return self._pools

    def _is_fresh(self) -> bool:
        return self._asked_s is not None and self._monotonic() - self._asked_s < FRESH_S

    async def _ask(self) -> Pools:
        schemes, events = await asyncio.gather(
            self._bus.call(SchemesOf(), DEADLINE_S), self._bus.call(SupportEventsOf(), DEADLINE_S)
        )
        names = {
            scheme_pool(one.lg_code): PoolName(one.point_name, one.municipality, one.lg_code) for one in schemes.schemes
        } | {
            event_pool(one.event_id): PoolName(one.point_name, one.holder, one.lg_code, one.last)
            for one in events.support_events
        }
        return Pools(
            {one.lg_code: one for one in schemes.schemes},
            {one.event_id: one for one in events.support_events},
            names,
        )

    async def parties(self, party_ids: Iterable[UUID]) -> dict[UUID, str]:
        """The names of these partners, shops, funds and stores; who is none of them is missing."""
        wanted = set(party_ids)
        if self._monotonic() - self._parties_s >= FRESH_S or len(self._parties) > PARTIES_LIMIT:
            self._parties, self._parties_s = {}, self._monotonic()
        missing = wanted - self._parties.keys()
        if missing:
            found = await self._bus.call(PartiesOf(party_ids=tuple(missing)), DEADLINE_S)
            self._parties |= {one.party_id: one for one in found.parties}
        return {one: self._parties[one].name for one in wanted if one in self._parties}
