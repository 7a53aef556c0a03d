"""The book: what the operations of one batch look at, and what their decisions change, all in memory."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from hub.errors import TransientError
from schemas.holds import HoldKind, HoldState
from schemas.merges import SendMerge
from schemas.message import Event
from schemas.points import MovePoints, UsePoints
from schemas.values import NO_ORIGIN, RESERVE
from workers.ledger.accounts import (
    NO_MUNICIPALITY,
    Contra,
    Kind,
    LotKey,
    Move,
    PoolRule,
    RollupKey,
    reversed_kind,
)
from workers.ledger.holds import CouponRow, Hold, Original

CORRECT: Final = int(Kind.correct)
Place: TypeAlias = tuple[int, int]
"""A row's place in its table: page and number (PostgreSQL's ctid). It holds until the end of the transaction."""
NOBODY: Final = 0
"""Stands for the account of a counterparty that there is not: what is expired or set aside is settled with nobody."""


class Decision(NamedTuple):
    """What a command comes to: refused with a code, or posted with its moves (all or none) and events."""

    points: int = 0
    moves: tuple[Move, ...] = ()
    pools: tuple[str, ...] = ()
    """Pools whose balance after it is part of the answer."""
    events: tuple[Event, ...] = ()
    code: str | None = None
    hold: Hold | None = None
    """The hold as it stands after it, where the command is about one."""
    uses_coupon: tuple[UUID, bytes] | None = None
    corrects: tuple[UUID, str] | None = None
    revokes: bool = False


def refused(code: str) -> Decision:
    """A refusal: nothing moves, and the same command is refused for ever."""
    return Decision(code=code)


class OverdrawnError(Exception):
    """A decision would take more from a lot than it holds: a defect in the operation; nothing was written."""


class DayNotBegunError(TransientError):
    """By this process's clock the day that a command is of has not begun; nothing was written."""


@dataclass(slots=True, eq=False)
class Balance:
    """An account's number and its points, where its row is, and whether a decision touched it."""

    account: int
    points: int
    place: Place | None = None
    """None as long as it has no row."""
    is_changed: bool = False


class Wallet(dict[LotKey, Balance]):
    """A citizen's lots."""

    __slots__ = ("usable",)

    def __init__(self) -> None:
        super().__init__()
        self.usable: dict[str, int] = {}
        """By pool: what counts as the balance, added up when first asked for and kept up since."""


@dataclass(slots=True, eq=False)
class Line:
    """A line of the day's rollups: what the batch adds to it.

    A correction has the kind it reverses, negative. A command is one transaction, however many lots it took from.
    """

    key: RollupKey
    kind: int
    transfers: int = 0
    points: int = 0
    transactions: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """Settings that decisions depend on, in days."""

    holding_period_days: int
    refund_least_days: int
    voucher_limit_days: int


@dataclass(slots=True)
class Book:
    """The lots of the batch's citizens, the contra accounts it touches, the pools' rules, on one business date.

    Of a contra account only what the batch adds to it is kept: it may go either way, so nobody asks what it holds.
    """

    today: date
    now: datetime
    terms: Terms
    pools: Mapping[str, PoolRule]
    next_account: int
    lots: dict[UUID, Wallet] = field(default_factory=lambda: defaultdict(Wallet))
    contras: dict[Contra, Balance] = field(default_factory=dict)
    changed_lots: list[tuple[UUID, LotKey, Balance]] = field(default_factory=list)
    changed_contras: list[tuple[Contra, Balance]] = field(default_factory=list)
    lines: dict[tuple[int | UUID, str, int], Line] = field(default_factory=dict)
    """Of the rollups: by the counterparty's account, or between lots by the origin; with the pool and the kind."""

    holds: dict[UUID, Hold] = field(default_factory=dict)
    touched_holds: set[UUID] = field(default_factory=set)
    numbers_taken: set[str] = field(default_factory=set)
    coupons: dict[tuple[UUID, bytes], CouponRow] = field(default_factory=dict)
    coupons_used: dict[tuple[UUID, bytes], UUID] = field(default_factory=dict)
    revoked: set[UUID] = field(default_factory=set)
    newly_revoked: set[UUID] = field(default_factory=set)
    originals: dict[tuple[UUID, str], Original] = field(default_factory=dict)
    newly_corrected: dict[tuple[UUID, str], int] = field(default_factory=dict)
    """By the number of the outcome that corrects it."""

    over: Container[UUID] = frozenset()
    """Citizens who have checkout holds whose time was over when the batch began; none is over as it is made."""
    coming: Mapping[UUID, set[str]] = field(default_factory=dict)
    """Pools that the batch's other commands may bring points into, where a command of it wants to know."""
    wanted: AbstractSet[tuple[UUID, str]] = frozenset()
    """The postings that the batch's corrections are about."""
    _whose: UUID | None = None
    _wallet: Wallet = field(default_factory=Wallet)

    @property
    def rollups(self) -> dict[tuple[RollupKey, int], list[int]]:
        """What the batch adds to the day's settlement: transfers and points."""
        return {(line.key, line.kind): [line.transfers, line.points] for line in self.lines.values()}

    # what operations ask

    def check_begun(self, day: date | None) -> None:
        """Raises DayNotBegunError: a refusal would be for ever, and be of the day before."""
        if day is not None and day > self.today:
            raise DayNotBegunError(f"{day} on {self.today}")

    def rule(self, pool: str) -> PoolRule | None:
        """The scheme or event of this pool, or None."""
        return self.pools.get(pool)

    def held_until(self) -> date:
        """The last day on which reserve points credited today are held."""
        return self.today + timedelta(days=self.terms.holding_period_days - 1)

    def balance(self, citizen_id: UUID, pool: str) -> int:
        """The citizen's usable points of this pool: a lot past its last day no longer counts, swept or not."""
        wallet = self._of(citizen_id)
        points = wallet.usable.get(pool)
        if points is None:
            first, points = self._first_day(pool), 0
            for (lot_pool, last, _), balance in wallet.items():
                if lot_pool == pool and last >= first:
                    points += balance.points
            wallet.usable[pool] = points
        return points

    def usable_lots(self, citizen_id: UUID, pool: str) -> list[tuple[LotKey, int]]:
        """The citizen's lots of this pool with points, earliest last day first."""
        first = self._first_day(pool)
        lots: list[tuple[LotKey, int]] = []
        for key, balance in self._of(citizen_id).items():
            if balance.points and key.pool == pool and key.expires_on >= first:
                lots.append((key, balance.points))
        if len(lots) > 1:
            lots.sort(key=_in_order)
        return lots

    def due_lots(self, citizen_id: UUID, *, reserve: bool) -> list[tuple[LotKey, int]]:
        """The citizen's lots with points whose last day has passed: of reserve, or of everything else."""
        lots = [
            (key, balance.points)
            for key, balance in self._of(citizen_id).items()
            if balance.points and key.expires_on < self.today and (key.pool == RESERVE) == reserve
        ]
        return sorted(lots, key=_in_order)

    def all_lots(self, citizen_id: UUID) -> list[tuple[LotKey, int]]:
        """Every lot of the citizen with points in it."""
        return [(key, balance.points) for key, balance in self._of(citizen_id).items() if balance.points]

    def covers(self, citizen_id: UUID, moves: Iterable[Move]) -> bool:
        """Whether the citizen's lots hold enough for these moves, made in their order."""
        lots = {key: balance.points for key, balance in self._of(citizen_id).items()}
        for move in moves:
            if isinstance(move.debit, LotKey):
                lots[move.debit] = lots.get(move.debit, 0) - move.points
                if lots[move.debit] < 0:
                    return False
            if isinstance(move.credit, LotKey):
                lots[move.credit] = lots.get(move.credit, 0) + move.points
        return True

    def over_holds(self, citizen_id: UUID) -> list[Hold]:
        """The citizen's checkout holds that nobody captured in time: their points count as free."""
        if citizen_id not in self.over:
            return []
        return [
            hold
            for hold in self.holds.values()
            if hold.citizen_id == citizen_id
            and hold.kind is HoldKind.checkout
            and hold.state is HoldState.open
            and hold.expires_at is not None
            and hold.expires_at <= self.now
        ]

    def change(self, pool: str, moves: Iterable[Move]) -> int:
        """What these moves add to the usable points of this pool."""
        first, total = self._first_day(pool), 0
        for debit, credit, points in moves:
            if isinstance(credit, LotKey) and credit.pool == pool and credit.expires_on >= first:
                total += points
            if isinstance(debit, LotKey) and debit.pool == pool and debit.expires_on >= first:
                total -= points
        return total

    def pools_of(self, citizen_id: UUID) -> set[str]:
        """Every pool that the citizen may have points in before the batch is over."""
        return {key.pool for key in self._of(citizen_id)} | self.coming.get(citizen_id, set())

    def _of(self, citizen_id: UUID) -> Wallet:
        """The citizen's lots; whoever is asked for several times in a row is looked up once."""
        if citizen_id is not self._whose:
            self._whose, self._wallet = citizen_id, self.lots[citizen_id]
        return self._wallet

    def _first_day(self, pool: str) -> date:
        """A lot of this pool counts whose last day is not before it."""
        # Reserve points past their holding period are still the citizen's: they only wait for the sweep.
        return self.today if pool != RESERVE else date.min

    # what a posted decision changes

    def apply(self, citizen_id: UUID, kind: int, moves: Iterable[Move]) -> list[tuple[int, int, int]]:
        """Post moves: each as (debit account, credit account, points); keeps the balances and rollups.

        Raises OverdrawnError.
        """
        posted: list[tuple[int, int, int]] = []
        counted: list[Line] = []
        for move in moves:
            points = move.points
            debit = self._change(citizen_id, move.debit, -points)
            credit = self._change(citizen_id, move.credit, points)
            line = self._line(move, kind if kind != CORRECT else reversed_kind(move), debit, credit)
            line.transfers += 1
            line.points += points
            if line not in counted:
                counted.append(line)
                line.transactions += 1
            posted.append((debit, credit, points))
        return posted

    def keep(self, decision: Decision, citizen_id: UUID, number: int) -> None:
        """Keep what a posted decision, the batch's outcome of this number, changes besides balances."""
        if decision.hold is not None:
            self.holds[decision.hold.hold_id] = decision.hold
            self.touched_holds.add(decision.hold.hold_id)
            if decision.hold.number is not None:
                self.numbers_taken.add(decision.hold.number)
        if decision.uses_coupon is not None:
            self.coupons_used[decision.uses_coupon] = citizen_id
        if decision.corrects is not None:
            self.newly_corrected[decision.corrects] = number
        if decision.revokes:
            self.revoked.add(citizen_id)
            self.newly_revoked.add(citizen_id)

    def _change(self, citizen_id: UUID, account: LotKey | Contra, change: int) -> int:
        balance = self._contra(account) if isinstance(account, Contra) else self._lot(citizen_id, account, change)
        balance.points += change
        return balance.account

    def _lot(self, citizen_id: UUID, key: LotKey, change: int) -> Balance:
        lots = self._of(citizen_id)
        balance = lots.get(key)
        if balance is None:
            balance = lots[key] = self._open()
        if change < 0 and balance.points + change < 0:
            raise OverdrawnError(key.pool)
        if not balance.is_changed:
            balance.is_changed = True
            self.changed_lots.append((citizen_id, key, balance))
        if key.pool in lots.usable and key.expires_on >= self._first_day(key.pool):
            lots.usable[key.pool] += change
        return balance

    def _contra(self, contra: Contra) -> Balance:
        balance = self.contras.get(contra)
        if balance is None:
            balance = self.contras[contra] = self._open()
        if not balance.is_changed:
            balance.is_changed = True
            self.changed_contras.append((contra, balance))
        return balance

    def _open(self) -> Balance:
        self.next_account += 1
        return Balance(self.next_account - 1, 0)

    def _line(self, move: Move, kind: int, debit: int, credit: int) -> Line:
        """Who settles this move with whom. The audit derives the same from the rows (audit.sql)."""
        by: int | UUID
        if not isinstance(move.credit, LotKey):
            pool, by, counterparty = move.credit.pool or move.debit.pool, credit, move.credit.party_id
            if isinstance(move.debit, Contra) and counterparty is None:
                by, counterparty = debit, move.debit.party_id
        elif isinstance(move.debit, Contra):
            pool, by, counterparty = move.credit.pool, debit, move.debit.party_id
        else:
            pool, counterparty = move.credit.pool, move.debit.origin
            if counterparty == NO_ORIGIN:
                counterparty = move.credit.origin
            by = counterparty
        if counterparty is None:
            by = NOBODY
        if pool == RESERVE and move.debit.pool:
            pool = move.debit.pool
        line = self.lines.get((by, pool, kind))
        if line is None:
            rule = self.pools.get(pool)
            key = RollupKey(rule.lg_code if rule else NO_MUNICIPALITY, counterparty or NO_ORIGIN, pool)
            line = self.lines[by, pool, kind] = Line(key, kind)
        return line


def _in_order(lot: tuple[LotKey, int]) -> tuple[date, str, int]:
    key = lot[0]
    return key.expires_on, key.pool, key.origin.int


def wanted(command: UsePoints | MovePoints | SendMerge, held: int) -> int:
    """How many points a command is after where `held` are there: what it says, or with `at_most` as many as there are.

    Where nothing is there it is what it says, so that it is refused.
    """
    return min(command.points, held) or command.points if command.at_most else command.points


def total(lots: Iterable[tuple[LotKey, int]]) -> int:
    """The points of these lots together."""
    points = 0
    for _, held in lots:
        points += held
    return points


def take(lots: Iterable[tuple[LotKey, int]], points: int) -> list[tuple[LotKey, int]]:
    """Take `points` from lots in their order; the caller has made sure that there are enough."""
    taken: list[tuple[LotKey, int]] = []
    for key, held in lots:
        if points == 0:
            break
        part = min(held, points)
        taken.append((key, part))
        points -= part
    return taken
