"""The ledger as somebody would keep it on paper: slow, obvious, and written from the mission, not from the code.

Everything that is proven about the ledger is proven against this: the property tests, the state machine, the
simulator's and the failpoints' checker (which replays the journal in commit order).
"""

import calendar
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from schemas import points
from schemas.points import PostingCommand

NEVER = date.max
NOBODY = UUID(int=0)


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


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: str | None = None
    points: int = 0
    balances: dict[str, int] = field(default_factory=dict)


@dataclass
class Packet:
    """Points of one kind in somebody's wallet."""

    citizen_id: UUID
    pool: str
    last_day: date
    origin: UUID
    points: int


class NaiveLedger:
    """All wallets, and what came from and went to whom."""

    def __init__(self, rules: Iterable[Rule] = (), holding_period_days: int = 21) -> None:
        self.rules = {rule.pool: rule for rule in rules}
        self.holding_period_days = holding_period_days
        self.packets: list[Packet] = []
        self.outcomes: dict[tuple[UUID, str], tuple[bytes, Result]] = {}
        self.came_from: Counter[UUID] = Counter()
        self.went_to: Counter[UUID] = Counter()
        self.expired: Counter[str] = Counter()
        self.settled: Counter[tuple[str, UUID, str, str]] = Counter()
        """(lg_code, counterparty, pool, kind) → points."""

    def ask(self, command: PostingCommand, today: date) -> Result:
        """The one outcome of this command, for ever; `id_conflict` for another request under its id."""
        key = command.party_id, command.command_id
        if key not in self.outcomes:
            self.outcomes[key] = command.request_hash, self.do(command, today)
        request_hash, result = self.outcomes[key]
        return result if request_hash == command.request_hash else Result("id_conflict")

    def do(self, command: PostingCommand, today: date) -> Result:
        """Decide and do it."""
        match command:
            case points.CreditPoints():
                return self._credit(command, today)
            case points.MovePoints():
                return self._move(command, today)
            case points.SweepReserve():
                return self._sweep(command, today)
            case points.UsePoints():
                return self._use(command, today)
            case points.ExpirePoints():
                return self._expire(command, today)
            case points.RecordRefusal():
                return Result(command.code)
        raise AssertionError(type(command))

    def balance(self, citizen_id: UUID, pool: str, today: date) -> int:
        """Usable points; reserve points stay usable until they are swept."""
        return sum(
            packet.points
            for packet in self.packets
            if packet.citizen_id == citizen_id and packet.pool == pool and self._counts(packet, today)
        )

    def total(self) -> int:
        """All points in all wallets, usable or not."""
        return sum(packet.points for packet in self.packets)

    def lots(self, citizen_id: UUID) -> Counter[tuple[str, date, UUID]]:
        """(pool, last day, origin) → points, where there are any."""
        found: Counter[tuple[str, date, UUID]] = Counter()
        for packet in self.packets:
            if packet.citizen_id == citizen_id and packet.points:
                found[packet.pool, packet.last_day, packet.origin] += packet.points
        return found

    def put(self, citizen_id: UUID, pool: str, last_day: date, origin: UUID, amount: int) -> None:
        """Points into a wallet."""
        self.packets.append(Packet(citizen_id, pool, last_day, origin, amount))

    def _counts(self, packet: Packet, today: date) -> bool:
        return packet.pool == "reserve" or today <= packet.last_day

    def _closed(self, pool: str, today: date) -> str | None:
        if pool == "reserve":
            return "same_pool"
        kind = pool.partition(":")[0]
        rule = self.rules.get(pool)
        if rule is None:
            return f"no_{kind}"
        if not rule.first <= today <= rule.last or rule.last_day(today) < today:
            return f"{kind}_closed"
        return None

    def _take(self, wanted: list[Packet], amount: int) -> list[tuple[UUID, int]]:
        """Take from these packets, the earliest last day first; returns (origin, points) for each part."""
        parts = []
        for packet in sorted(wanted, key=lambda p: (p.last_day, p.origin.int)):
            part = min(packet.points, amount)
            if part:
                packet.points -= part
                amount -= part
                parts.append((packet.origin, part))
        assert amount == 0
        return parts

    def _settle(self, pool: str, counterparty: UUID, kind: str, amount: int) -> None:
        lg_code = self.rules[pool].lg_code if pool in self.rules else ""
        self.settled[lg_code, counterparty, pool, kind] += amount

    def _credit(self, command: points.CreditPoints, today: date) -> Result:
        citizen_id, pool = command.citizen_id, command.pool
        if pool == "reserve":
            held_until = today + timedelta(days=self.holding_period_days) - timedelta(days=1)
            self.put(citizen_id, pool, held_until, command.party_id, command.points)
        else:
            code = self._closed(pool, today)
            if code:
                return Result(code)
            self.put(citizen_id, pool, self.rules[pool].last_day(today), NOBODY, command.points)
        self.came_from[command.party_id] += command.points
        self._settle(pool, command.party_id, "credit", command.points)
        return Result(None, command.points, {pool: self.balance(citizen_id, pool, today)})

    def _move(self, command: points.MovePoints, today: date) -> Result:
        code = self._closed(command.pool, today)
        if code:
            return Result(code)
        if self.balance(command.citizen_id, "reserve", today) < command.points:
            return Result("insufficient_points")
        reserve = [p for p in self.packets if (p.citizen_id, p.pool) == (command.citizen_id, "reserve")]
        return self._into(command, today, self._take(reserve, command.points), "move")

    def _sweep(self, command: points.SweepReserve, today: date) -> Result:
        code = self._closed(command.pool, today)
        if code:
            return Result(code)
        due = [
            p
            for p in self.packets
            if (p.citizen_id, p.pool) == (command.citizen_id, "reserve") and p.last_day < today and p.points
        ]
        if not due:
            return Result("nothing_due")
        return self._into(command, today, self._take(due, sum(p.points for p in due)), "sweep")

    def _into(
        self, command: points.MovePoints | points.SweepReserve, today: date, parts: list[tuple[UUID, int]], kind: str
    ) -> Result:
        citizen_id, pool = command.citizen_id, command.pool
        for origin, part in parts:
            self.put(citizen_id, pool, self.rules[pool].last_day(today), NOBODY, part)
            self._settle(pool, origin, kind, part)
        moved = sum(part for _, part in parts)
        return Result(None, moved, {each: self.balance(citizen_id, each, today) for each in ("reserve", pool)})

    def _use(self, command: points.UsePoints, today: date) -> Result:
        citizen_id, pool = command.citizen_id, command.pool
        rule = self.rules.get(pool)
        if rule is None or command.lg_code not in rule.usable_in or not rule.first <= today <= rule.last:
            return Result("not_usable_here")
        if self.balance(citizen_id, pool, today) < command.points:
            return Result("insufficient_points")
        usable = [p for p in self.packets if (p.citizen_id, p.pool) == (citizen_id, pool) and self._counts(p, today)]
        self._take(usable, command.points)
        self.went_to[command.store_id] += command.points
        self._settle(pool, command.store_id, "use", command.points)
        return Result(None, command.points, {pool: self.balance(citizen_id, pool, today)})

    def _expire(self, command: points.ExpirePoints, today: date) -> Result:
        gone: Counter[str] = Counter()
        for packet in self.packets:
            mine = packet.citizen_id == command.citizen_id and packet.points
            if mine and packet.pool != "reserve" and packet.last_day < today:
                gone[packet.pool] += packet.points
                packet.points = 0
        if not gone:
            return Result("nothing_due")
        for pool, amount in gone.items():
            self._settle(pool, NOBODY, "expire", amount)
        self.expired.update(gone)
        left = {pool: self.balance(command.citizen_id, pool, today) for pool in gone}
        return Result(None, gone.total(), left)
