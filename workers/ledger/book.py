"""The book: what the operations of one batch look at, and what their decisions change, all in memory."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

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


@dataclass(frozen=True, slots=True)
class Decision:
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


@dataclass(slots=True)
class Balance:
    """An account's number and balance; `account` is 0 until a new account is given its number."""

    account: int
    points: int
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """Settings that decisions depend on, in days."""

    holding_period_days: int
    refund_least_days: int
    voucher_limit_days: int


@dataclass(slots=True)
class Book:
    """The lots of the batch's citizens, the contra accounts it touches, the pools' rules, on one business date."""

    today: date
    now: datetime
    terms: Terms
    pools: Mapping[str, PoolRule]
    next_account: int
    lots: dict[UUID, dict[LotKey, Balance]] = field(default_factory=lambda: defaultdict(dict))
    contras: dict[Contra, Balance] = field(default_factory=dict)
    touched_lots: set[tuple[UUID, LotKey]] = field(default_factory=set)
    touched_contras: set[Contra] = field(default_factory=set)
    rollups: dict[tuple[RollupKey, int], list[int]] = field(default_factory=dict)
    """Who settles what with whom → transfers, points; a correction has the kind it reverses, negative."""
    transactions: dict[tuple[RollupKey, int], int] = field(default_factory=dict)
    """The same → commands, each counted once however many lots it took from."""
    holds: dict[UUID, Hold] = field(default_factory=dict)
    touched_holds: set[UUID] = field(default_factory=set)
    numbers_taken: set[str] = field(default_factory=set)
    coupons: dict[tuple[UUID, bytes], CouponRow] = field(default_factory=dict)
    coupons_used: dict[tuple[UUID, bytes], UUID] = field(default_factory=dict)
    revoked: set[UUID] = field(default_factory=set)
    newly_revoked: set[UUID] = field(default_factory=set)
    originals: dict[tuple[UUID, str], Original] = field(default_factory=dict)
    newly_corrected: set[tuple[UUID, str]] = field(default_factory=set)
    over: Container[UUID] = frozenset()
    """Citizens who have checkout holds whose time was over when the batch began; none is over as it is made."""
    coming: Mapping[UUID, set[str]] = field(default_factory=dict)
    """Pools that the batch's other commands may bring points into, where a command of it wants to know."""
    wanted: Container[tuple[UUID, str]] = frozenset()
    """The postings that the batch's corrections are about."""

    # what operations ask

    def rule(self, pool: str) -> PoolRule | None:
        """The scheme or event of this pool, or None."""
        return self.pools.get(pool)

    def held_until(self) -> date:
        """The last day on which reserve points credited today are held."""
        return self.today + timedelta(days=self.terms.holding_period_days - 1)

    def balance(self, citizen_id: UUID, pool: str) -> int:
        """The citizen's usable points of this pool: a lot past its last day no longer counts, swept or not."""
        return sum(balance.points for key, balance in self._of(citizen_id) if key.pool == pool and self._counts(key))

    def usable_lots(self, citizen_id: UUID, pool: str) -> list[tuple[LotKey, int]]:
        """The citizen's lots of this pool with points, earliest last day first."""
        lots = [
            (key, balance.points)
            for key, balance in self._of(citizen_id)
            if key.pool == pool and balance.points and self._counts(key)
        ]
        return lots if len(lots) < 2 else sorted(lots, key=_in_order)  # noqa: PLR2004 - nothing to sort

    def due_lots(self, citizen_id: UUID, *, reserve: bool) -> list[tuple[LotKey, int]]:
        """The citizen's lots with points whose last day has passed: of reserve, or of everything else."""
        lots = [
            (key, balance.points)
            for key, balance in self._of(citizen_id)
            if balance.points and key.expires_on < self.today and (key.pool == RESERVE) == reserve
        ]
        return sorted(lots, key=_in_order)

    def all_lots(self, citizen_id: UUID) -> list[tuple[LotKey, int]]:
        """Every lot of the citizen with points in it."""
        return [(key, balance.points) for key, balance in self._of(citizen_id) if balance.points]

    def covers(self, citizen_id: UUID, moves: Iterable[Move]) -> bool:
        """Whether the citizen's lots hold enough for these moves, made in their order."""
        lots = {key: balance.points for key, balance in self._of(citizen_id)}
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
        total = 0
        for debit, credit, points in moves:
            if isinstance(credit, LotKey) and credit.pool == pool and self._counts(credit):
                total += points
            if isinstance(debit, LotKey) and debit.pool == pool and self._counts(debit):
                total -= points
        return total

    def pools_of(self, citizen_id: UUID) -> set[str]:
        """Every pool that the citizen may have points in before the batch is over."""
        return {key.pool for key, _ in self._of(citizen_id)} | self.coming.get(citizen_id, set())

    def _of(self, citizen_id: UUID) -> Iterable[tuple[LotKey, Balance]]:
        lots = self.lots.get(citizen_id)
        return lots.items() if lots else ()

    def _counts(self, key: LotKey) -> bool:
        # Reserve points past their holding period are still the citizen's: they only wait for the sweep.
        return key.expires_on >= self.today or key.pool == RESERVE

    # what a posted decision changes

    def apply(self, citizen_id: UUID, kind: Kind, moves: Iterable[Move]) -> Iterator[tuple[int, int, int]]:
        """Post moves: yields (debit account, credit account, points) and keeps the balances and rollups.

        Raises OverdrawnError.
        """
        counted: set[tuple[RollupKey, int]] = set()
        for move in moves:
            debit = self._change(citizen_id, move.debit, -move.points)
            credit = self._change(citizen_id, move.credit, move.points)
            key = self._rollup_key(move), kind if kind is not Kind.correct else reversed_kind(move)
            line = self.rollups.setdefault(key, [0, 0])
            line[0] += 1
            line[1] += move.points
            if key not in counted:
                counted.add(key)
                self.transactions[key] = self.transactions.get(key, 0) + 1
            yield debit, credit, move.points

    def keep(self, decision: Decision, citizen_id: UUID) -> None:
        """Keep what a posted decision changes besides balances."""
        if decision.hold is not None:
            self.holds[decision.hold.hold_id] = decision.hold
            self.touched_holds.add(decision.hold.hold_id)
            if decision.hold.number is not None:
                self.numbers_taken.add(decision.hold.number)
        if decision.uses_coupon is not None:
            self.coupons_used[decision.uses_coupon] = citizen_id
        if decision.corrects is not None:
            self.newly_corrected.add(decision.corrects)
        if decision.revokes:
            self.revoked.add(citizen_id)
            self.newly_revoked.add(citizen_id)

    def _change(self, citizen_id: UUID, account: LotKey | Contra, change: int) -> int:
        if isinstance(account, Contra):
            self.touched_contras.add(account)
            balance = self.contras.get(account)
            if balance is None:
                balance = self.contras[account] = self._open()
        else:
            self.touched_lots.add((citizen_id, account))
            lots = self.lots[citizen_id]
            balance = lots.get(account)
            if balance is None:
                balance = lots[account] = self._open()
            if balance.points + change < 0:
                raise OverdrawnError(account.pool)
        balance.points += change
        return balance.account

    def _open(self) -> Balance:
        self.next_account += 1
        return Balance(self.next_account - 1, 0, is_new=True)

    def _rollup_key(self, move: Move) -> RollupKey:
        """Who settles this move with whom. The audit derives the same from the rows (audit.sql)."""
        debit, credit = move.debit, move.credit
        pool = credit.pool or debit.pool
        if pool == RESERVE and debit.pool:
            pool = debit.pool
        counterparty = debit.origin if isinstance(debit, LotKey) else debit.party_id
        if isinstance(credit, Contra):
            counterparty = credit.party_id if isinstance(debit, LotKey) else debit.party_id or credit.party_id
        elif counterparty == NO_ORIGIN:
            counterparty = credit.origin
        rule = self.pools.get(pool)
        return RollupKey(rule.lg_code if rule else NO_MUNICIPALITY, counterparty or NO_ORIGIN, pool)


def _in_order(lot: tuple[LotKey, int]) -> tuple[date, str, int]:
    key = lot[0]
    return key.expires_on, key.pool, key.origin.int


def wanted(command: UsePoints | MovePoints | SendMerge, held: int) -> int:
    """How many points a command is after where `held` are there: what it says, or with `at_most` as many as there are.

    Where nothing is there it is what it says, so that it is refused.
    """
    return min(command.points, held) or command.points if command.at_most else command.points


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
