"""One wallet kept twice: by the ledger's own book, and by the naive one; and what hypothesis puts into it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from hypothesis import strategies as st

from hub.clock import start_of_day
from schemas.message import Event
from schemas.points import PointsEvent, PostingCommand
from schemas.values import NO_ORIGIN
from tests.workers.ledger.naive import NaiveLedger, Result
from tests.workers.ledger.world import AIRLINE, CARD, POOLS, RULES, TODAY, citizen, pool_rules
from workers.ledger.accounts import Contra, LotKey, Move
from workers.ledger.book import Balance, Book, Decision, Terms
from workers.ledger.operations import OPERATIONS

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


@dataclass
class Paper:
    """Both books of one day, with the same wallet for ME and a copy of it for SOMEBODY."""

    wallet: Wallet
    today: date = TODAY
    book: Book = field(init=False)
    naive: NaiveLedger = field(init=False)
    contras: Counter[Contra] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.book = Book(self.today, start_of_day(self.today), TERMS, pool_rules(), next_account=1)
        self.naive = NaiveLedger(RULES, HOLDING_PERIOD_DAYS)
        for citizen_id in (ME, SOMEBODY):
            for key, points in self.wallet:
                self.book.next_account += 1
                self.book.lots[citizen_id][key] = Balance(self.book.next_account, points)
                self.naive.put(citizen_id, key.pool, key.expires_on, key.origin, points)

    def decide(self, command: PostingCommand) -> Decision:
        """The ledger's decision; nothing is posted."""
        decision: Decision = OPERATIONS[type(command)].decide(command, self.book)
        return decision

    def post(self, command: PostingCommand) -> Decision:
        """Decide and post in both books; they agree in everything, and no point is made or lost."""
        decision = self.decide(command)
        expected = self.naive.ask(command, self.today)
        list(self.book.apply(command.citizen_id, OPERATIONS[type(command)].kind, decision.moves))
        self.count(decision.moves)
        balances = {pool: self.book.balance(command.citizen_id, pool) for pool in decision.pools}
        assert Result(decision.code, decision.points, balances) == expected
        assert self.lots(ME) == self.naive.lots(ME)
        assert self.lots(SOMEBODY) == self.naive.lots(SOMEBODY)
        assert self.held() + self.contras.total() == 2 * sum(points for _, points in self.wallet)
        self._agree_on_contras()
        assert all(_says(event, decision, balances) for event in decision.events)
        assert bool(decision.events) == (decision.code is None)
        return decision

    def count(self, moves: tuple[Move, ...]) -> None:
        """What the moves do to contra accounts."""
        for each in moves:
            assert each.points > 0
            if isinstance(each.debit, Contra):
                self.contras[each.debit] -= each.points
            if isinstance(each.credit, Contra):
                self.contras[each.credit] += each.points

    def held(self) -> int:
        """All points in all wallets."""
        return sum(balance.points for lots in self.book.lots.values() for balance in lots.values())

    def lots(self, citizen_id: UUID) -> Counter[tuple[str, date, UUID]]:
        """(pool, last day, origin) → points, where there are any."""
        return Counter({key: b.points for key, b in self.book.lots[citizen_id].items() if b.points})

    def _agree_on_contras(self) -> None:
        assert {c.party_id: -p for c, p in self.contras.items() if c.role == "partner"} == dict(self.naive.came_from)
        assert {c.party_id: p for c, p in self.contras.items() if c.role == "store"} == dict(self.naive.went_to)
        assert {c.pool: p for c, p in self.contras.items() if c.role == "expired"} == dict(self.naive.expired)


def _says(event: Event, decision: Decision, balances: dict[str, int]) -> bool:
    assert isinstance(event, PointsEvent)
    whole = len(decision.events) > 1 or event.points == decision.points
    return whole and event.balance == balances[event.pool]
