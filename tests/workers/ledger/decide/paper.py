"""Wallets kept twice: by the ledger's own book and writer, and by the naive ledger; and what hypothesis puts in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from hypothesis import strategies as st

from hub.clock import business_date_of, start_of_day
from hub.transaction import Transaction
from schemas.message import Event
from schemas.points import PointsEvent, PostingAnswer, PostingCommand
from schemas.values import NO_EXPIRY, NO_ORIGIN
from tests.workers.ledger.naive import Coupon as NaiveCoupon
from tests.workers.ledger.naive import NaiveLedger
from tests.workers.ledger.naive_holds import SetAside
from tests.workers.ledger.naive_wallets import Lot, Said
from tests.workers.ledger.world import AIRLINE, CARD, POOLS, RULES, TODAY, citizen, kind_name, pool_rules, result
from tests.workers.ledger.world_holds import code_hash
from workers.ledger.accounts import Contra, LotKey
from workers.ledger.book import Balance, Book, Terms
from workers.ledger.footprints import of_holds
from workers.ledger.holds import CouponRow, Hold
from workers.ledger.operations import OPERATIONS
from workers.ledger.state_store import _coming
from workers.ledger.store import Head, Known
from workers.ledger.writer import _Batch

ME: Final = citizen(1)
SOMEBODY: Final = citizen(2)
HOLDING_PERIOD_DAYS: Final = 21
TERMS: Final = Terms(HOLDING_PERIOD_DAYS, refund_least_days=30, voucher_limit_days=30)

Wallet = list[tuple[LotKey, int]]


@st.composite
def wallets(draw: st.DrawFn) -> Wallet:
    """Up to twelve lots, some past their last day, some empty."""
    pools = st.sampled_from([*POOLS[:4], POOLS[6]])
    keys = st.builds(
        lambda pool, days, origin: LotKey(
            pool, TODAY + timedelta(days=days), origin if pool == "reserve" else NO_ORIGIN
        ),
        pools,
        st.integers(-3, 3),
        st.sampled_from([AIRLINE, CARD]),
    )
    return list(draw(st.dictionaries(keys, st.integers(0, 30), max_size=12)).items())


amounts: Final = st.integers(1, 60)
pools: Final = st.sampled_from(POOLS)
days: Final = st.integers(0, 120).map(lambda n: TODAY + timedelta(days=n))


class _Everybody(frozenset[Any]):
    """Contains whatever one asks for."""

    def __contains__(self, _one: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


@dataclass
class Paper:
    """Both books, with the same wallet for ME and a copy of it for SOMEBODY; all that happens on a day is one batch."""

    wallet: Wallet
    today: date = TODAY
    book: Book = field(init=False)
    naive: NaiveLedger = field(init=False)
    contras: Counter[Contra] = field(default_factory=Counter)
    said: list[Event] = field(default_factory=list)
    """The events of the last command."""
    expected: set[str] = field(default_factory=set)
    """The contra accounts that the batch's commands have said they may touch."""
    looked_at: set[tuple[UUID, str]] = field(default_factory=set)
    """The citizens' pools that they have said they would look at; '' is all of them."""
    settled: Counter[tuple[str, UUID, str, str]] = field(default_factory=Counter)
    """Of the batches before this one, as the naive ledger has it."""

    def __post_init__(self) -> None:
        self.now = start_of_day(self.today)
        self.book = Book(self.today, self.now, TERMS, pool_rules(), next_account=1)
        self.book.over = self.book.wanted = _Everybody()
        self.naive = NaiveLedger(RULES, HOLDING_PERIOD_DAYS)
        for citizen_id in (ME, SOMEBODY):
            for key, points in self.wallet:
                self.book.next_account += 1
                self.book.lots[citizen_id][key] = Balance(self.book.next_account, points)
                self.naive.put(citizen_id, Lot(*key), points)
        self._batch = self._begin({})

    def _begin(self, known: dict[tuple[UUID, str], Known]) -> _Batch:
        return _Batch(0, Head(0, 0, b"", 0, 0), self.book, known, cast("Transaction", self))

    def emit(self, event: Event, about: int = 0) -> None:
        """What the writer says."""
        assert about == 0
        self.said.append(event)

    def register(self, name: str, points: int, pool: str, last: date = NO_EXPIRY) -> None:
        """A coupon of the airline's."""
        self.book.coupons[AIRLINE, code_hash(name)] = CouponRow(points, pool, last, None)
        self.naive.coupons[AIRLINE, code_hash(name)] = NaiveCoupon(points, pool, last)

    def move_to(self, now: datetime) -> None:
        """Another batch, later: what the book knows is what there was in the end."""
        self.settled = self._settled()
        old, self.now, self.today = self.book, now, business_date_of(now)
        self.book = Book(self.today, now, TERMS, pool_rules(), old.next_account)
        self.book.over = self.book.wanted = _Everybody()
        self.book.lots, self.book.contras, self.book.revoked = old.lots, old.contras, old.revoked
        for balance in (*old.contras.values(), *(one for lots in old.lots.values() for one in lots.values())):
            balance.is_changed = False
        for wallet in old.lots.values():
            wallet.usable.clear()
        self.book.originals = {
            key: replace(one, corrected=one.corrected or key in old.newly_corrected)
            for key, one in old.originals.items()
        }
        self.book.holds = {hold_id: replace(hold, is_new=False) for hold_id, hold in old.holds.items()}
        self.book.numbers_taken = {hold.number for hold in old.holds.values() if hold.number and hold.left}
        self.book.coupons = {
            key: row._replace(used_by=old.coupons_used.get(key, row.used_by)) for key, row in old.coupons.items()
        }
        self.expected, self.looked_at = set(), set()
        self._batch = self._begin(self._batch._known)

    def pass_days(self, number: int) -> None:
        """At the same hour, days later."""
        self.move_to(self.now + timedelta(days=number))

    def post_all(self, *commands: PostingCommand) -> list[PostingAnswer]:
        """One batch: what each may touch is asked before the first is decided, as the store does."""
        self.expect(commands)
        return [self._post(command) for command in commands]

    def post(self, command: PostingCommand) -> PostingAnswer:
        """Decide and post in both books; they agree in everything, and no point is made or lost."""
        self.expect([command])
        return self._post(command)

    def expect(self, commands: Sequence[PostingCommand]) -> None:
        """As the store does before a batch is decided."""
        self.book.coming = _coming(commands, self.book)
        accounts = [one for each in commands for one in OPERATIONS[type(each)].contras(each, self.book)]
        accounts += of_holds(self.book.holds.values())
        self.expected |= {account.name for account in accounts}
        asked = {(each.citizen_id, pool) for each in commands for pool in OPERATIONS[type(each)].pools(each, self.book)}
        self.looked_at |= asked | {(hold.citizen_id, hold.pool) for hold in self.book.holds.values()}

    def _post(self, command: PostingCommand) -> PostingAnswer:
        self.said, before = [], len(self._batch.written.transfers)
        answer = self._batch.answer(0, command)
        expected = self.naive.ask(command, self.today, self.now)
        assert result(answer) == expected
        for made in (answer, *self.said):
            assert type(made).model_validate(made.model_dump()) == made, "what is trusted is valid, and whole"
        for row in self._batch.written.transfers[before:]:
            assert row.points > 0
        self._agree()
        if not answer.replayed:
            self._looked_at_no_more_than_it_said(
                command.citizen_id, {*answer.balances, *(s.pool for s in expected.said)}
            )
            by_itself = Counter(map(_told, self.said)) - Counter(expected.said)
            assert Counter(map(_told, self.said)) >= Counter(expected.said)
            assert {said.what for said in by_itself} <= {"checkouts.released"}
        return answer

    def _looked_at_no_more_than_it_said(self, citizen_id: UUID, told: set[str]) -> None:
        assert {contra.name for contra, _ in self.book.changed_contras} <= self.expected
        pools = {(whose, key.pool) for whose, key, _ in self.book.changed_lots} | {(citizen_id, pool) for pool in told}
        assert {(whose, pool) for whose, pool in pools if (whose, "") not in self.looked_at} <= self.looked_at

    def _agree(self) -> None:
        for citizen_id in (ME, SOMEBODY):
            assert self.lots(citizen_id) == self.naive.lots(citizen_id)
        self.contras = Counter({contra: balance.points for contra, balance in self.book.contras.items()})
        assert self.held() + self.contras.total() == 2 * sum(points for _, points in self.wallet)
        rightly = {other.name: points for other, points in self.naive.others.items()}
        assert {contra.name: points for contra, points in self.contras.items() if points} == {
            name: points for name, points in rightly.items() if points
        }
        assert {hold_id: _seen(hold) for hold_id, hold in self.book.holds.items()} == {
            hold_id: _rightly(aside) for hold_id, aside in self.naive.aside.items()
        }
        assert self._settled() == self.naive.settled
        assert len(self.book.rollups) == len(self.book.lines), "a line twice in one statement"
        set_aside: Counter[str] = Counter()
        for hold in self.book.holds.values():
            set_aside[hold.account.name] += hold.left
        boxes = {name: points for name, points in rightly.items() if name.split(":")[0] in _BOXES and points}
        assert boxes == {name: points for name, points in set_aside.items() if points}

    def _settled(self) -> Counter[tuple[str, UUID, str, str]]:
        lines = Counter({(*key, kind_name(kind)): line[1] for (key, kind), line in self.book.rollups.items()})
        return self.settled + lines

    def held(self) -> int:
        """All points in all wallets."""
        return sum(balance.points for lots in self.book.lots.values() for balance in lots.values())

    def lots(self, citizen_id: UUID) -> Counter[tuple[str, date, UUID]]:
        """(pool, last day, origin) → points, where there are any."""
        return Counter({key: b.points for key, b in self.book.lots[citizen_id].items() if b.points})


_BOXES: Final = ("voucher", "checkout", "merge")


def _seen(hold: Hold) -> tuple[object, ...]:
    return (
        hold.kind.value, hold.citizen_id, hold.counterparty_id, hold.lg_code, hold.pool, hold.points, hold.expires_at,
        hold.number, hold.state.value, hold.left, hold.taken, hold.refunded,
        [(Lot(*part.lot), part.points) for part in hold.parts],
    )  # fmt: skip


def _rightly(aside: SetAside) -> tuple[object, ...]:
    return (
        aside.kind, aside.citizen_id, aside.to, aside.lg_code, aside.pool, aside.points, aside.ends,
        aside.number, aside.state, aside.left, aside.taken, aside.refunded, aside.parts,
    )  # fmt: skip


def _told(event: Event) -> Said:
    assert isinstance(event, PointsEvent)
    what = event.TYPE.removeprefix("jp.mykey.").removesuffix(".v1")
    return Said(what, event.pool, event.points, event.balance)
