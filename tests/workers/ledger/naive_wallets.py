"""Wallets on paper: packets of points with a last day, and what came from and went to whom.

The floor of the naive ledger (`naive`): nothing here knows an operation.
"""

import calendar
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

NEVER: Final = date.max
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True)
class Rule:
    """A scheme or an event."""

    pool: str
    lg_code: str
    expiry: str
    first: date = date.min
    last: date = date.max
    usable_in: frozenset[str] = frozenset()

    def last_day(self, today: date) -> date:
        """When points that come in today end."""
        if self.expiry == "none":
            return NEVER
        if self.expiry.startswith("date:"):
            return date.fromisoformat(self.expiry[5:])
        month, year = today.month, today.year
        for _ in range(int(self.expiry[7:])):
            month, year = (1, year + 1) if month == 12 else (month + 1, year)
        return date(year, month, calendar.monthrange(year, month)[1])


class Said(NamedTuple):
    """An event: its type without `jp.mykey.` and version, the pool, its points, the pool's balance after it."""

    what: str
    pool: str
    points: int
    balance: int


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: str | None = None
    points: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    said: tuple[Said, ...] = field(default=(), compare=False)


class Lot(NamedTuple):
    """Points of one kind: whoever holds two packets of a kind holds one bigger packet."""

    pool: str
    last_day: date
    origin: UUID


class Other(NamedTuple):
    """Whoever is no citizen: a party, or for what is expired or set aside the pool."""

    role: str
    who: UUID | str

    @property
    def name(self) -> str:
        """As the books call it."""
        return f"{self.role}:{self.who.hex if isinstance(self.who, UUID) else self.who}"


Place: TypeAlias = Lot | Other


@dataclass
class Packet:
    """Points of one kind in somebody's wallet."""

    citizen_id: UUID
    lot: Lot
    points: int


class NotThereError(Exception):
    """Somebody would pass on points that are not there."""


class Wallets:
    """All wallets, what everybody else has, and the month's settlement."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = {rule.pool: rule for rule in rules}
        self.packets: list[Packet] = []
        self.others: Counter[Other] = Counter()
        self.settled: Counter[tuple[str, UUID, str, str]] = Counter()
        """(lg_code, counterparty, pool, kind) → points."""
        self.slip: list[tuple[Place, Place, int]] = []
        """What the operation at hand has passed on so far: from where, to where, how much."""

    def balance(self, citizen_id: UUID, pool: str, today: date) -> int:
        """Usable points; reserve points stay usable until they are swept."""
        return sum(points for _, points in self.usable(citizen_id, pool, today))

    def total(self) -> int:
        """All points in all wallets, usable or not."""
        return sum(packet.points for packet in self.packets)

    def lots(self, citizen_id: UUID) -> Counter[Lot]:
        """What somebody has, by lot."""
        found: Counter[Lot] = Counter()
        for packet in self.packets:
            if packet.citizen_id == citizen_id and packet.points:
                found[packet.lot] += packet.points
        return found

    def usable(self, citizen_id: UUID, pool: str, today: date) -> list[tuple[Lot, int]]:
        """The lots that somebody may spend today, the earliest last day first."""
        lots = self.lots(citizen_id).items()
        mine = [(lot, points) for lot, points in lots if lot.pool == pool and self.counts(lot, today)]
        return sorted(mine, key=lambda each: (each[0].last_day, each[0].origin.int))

    def counts(self, lot: Lot, today: date) -> bool:
        """Whether points of this lot are worth anything today."""
        return lot.pool == "reserve" or today <= lot.last_day

    def put(self, citizen_id: UUID, lot: Lot, points: int) -> None:
        """Points into a wallet."""
        self.packets.append(Packet(citizen_id, lot, points))

    def pass_on(self, citizen_id: UUID, source: Place, target: Place, points: int, kind: str) -> None:
        """Points from one place to another; lots are this citizen's. Raises NotThereError."""
        if isinstance(source, Lot):
            self._draw(citizen_id, source, points)
        else:
            self.others[source] -= points
        if isinstance(target, Lot):
            self.put(citizen_id, target, points)
        else:
            self.others[target] += points
        self.slip.append((source, target, points))
        self._settle(source, target, points, kind)

    def _draw(self, citizen_id: UUID, lot: Lot, points: int) -> None:
        if self.lots(citizen_id)[lot] < points:
            raise NotThereError
        for packet in self.packets:
            if packet.citizen_id == citizen_id and packet.lot == lot:
                part = min(packet.points, points)
                packet.points -= part
                points -= part
        self.packets = [packet for packet in self.packets if packet.points]

    def _settle(self, source: Place, target: Place, points: int, kind: str) -> None:
        """With the party that gave or got them; reserve points on their way with the partner that they came from."""
        pools = [place.pool if isinstance(place, Lot) else place.who for place in (source, target)]
        named = [str(pool) for pool in pools if not isinstance(pool, UUID)]
        pool = next((pool for pool in reversed(named) if pool != "reserve"), "reserve")
        parties = [place.who for place in (source, target) if isinstance(place, Other) and isinstance(place.who, UUID)]
        origins = [place.origin for place in (source, target) if isinstance(place, Lot) and place.origin != NOBODY]
        both_lots = isinstance(source, Lot) and isinstance(target, Lot)
        counterparty = next(iter(origins if both_lots else parties), NOBODY)
        lg_code = self.rules[pool].lg_code if pool in self.rules else ""
        self.settled[lg_code, counterparty, pool, kind] += points

    def closed(self, pool: str, today: date) -> str | None:
        """Why no points may come into this pool today."""
        if pool == "reserve":
            return "same_pool"
        kind = pool.partition(":")[0]
        rule = self.rules.get(pool)
        if rule is None:
            return f"no_{kind}"
        if not rule.first <= today <= rule.last or rule.last_day(today) < today:
            return f"{kind}_closed"
        return None

    def is_usable_at(self, citizen_id: UUID, pool: str, lg_code: str, today: date) -> bool:
        """Whether a counter of this municipality takes the citizen's points today."""
        return self.is_good(citizen_id, pool, today) and lg_code in self.rules[pool].usable_in

    def is_good(self, citizen_id: UUID, pool: str, today: date) -> bool:
        """From its beginning to its end; and after it, for whoever was given points back."""
        rule = self.rules.get(pool)
        if rule is None or today < rule.first:
            return False
        return today <= rule.last or self.balance(citizen_id, pool, today) > 0


def first_of(lots: Iterable[tuple[Lot, int]], points: int) -> list[tuple[Lot, int]]:
    """So many points, from the first lots on."""
    parts = []
    for lot, held in lots:
        part = min(held, points)
        if part:
            parts.append((lot, part))
            points -= part
    assert points == 0
    return parts
