"""A long random mix of all operations over several partitions and months: every answer is the naive ledger's."""

from collections import Counter
from datetime import timedelta

import pytest

from hub import outbox
from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.grants import Coupon, CreditCoupon, RegisterCoupons
from schemas.points import BalanceOf, PostingCommand
from schemas.values import LANES, NO_EXPIRY
from tests.running import running
from tests.workers.ledger.mix import COUNTERS, Mix
from tests.workers.ledger.naive import Coupon as NaiveCoupon
from tests.workers.ledger.naive import NaiveLedger
from tests.workers.ledger.world import AIRLINE, RULES, ask, ask_all, citizen, kind_name, result
from tests.workers.ledger.world_holds import code_hash
from workers.ledger import store
from workers.ledger.accounts import Kind
from workers.ledger.operations import OPERATIONS

PEOPLE = [citizen(number, lane) for number in range(1, 4) for lane in (0, 3, 9)]
DAYS, COMMANDS_A_DAY = 40, 100


async def register(ledger: HubProcess, naive: NaiveLedger, mix: Mix) -> None:
    hashes = [code_hash(name) for name in mix.coupons()]
    pools = list(COUNTERS)
    coupons = tuple(
        Coupon(code_hash=one, points=10 + n, pool=pools[n % 4], last=NO_EXPIRY) for n, one in enumerate(hashes)
    )
    await ask(ledger, RegisterCoupons(party_id=AIRLINE, coupons=coupons))
    for one in coupons:
        naive.coupons[AIRLINE, one.code_hash] = NaiveCoupon(one.points, one.pool, one.last)


async def is_as_the_naive_ledger_says(ledger: HubProcess, naive: NaiveLedger, clock: AdjustableClock) -> None:
    today = clock.business_date()
    for me in PEOPLE:
        told = await ask(ledger, BalanceOf(citizen_id=me))
        freed: Counter[str] = Counter()
        for hold_id in () if me in naive.revoked else naive.over(me, clock.now()):
            aside = naive.aside[hold_id]
            freed[aside.pool] += sum(points for lot, points in aside.parts if naive.counts(lot, today))
        rightly = {pool: naive.balance(me, pool, today) + freed[pool] for pool in ("reserve", *COUNTERS)}
        assert told.by_pool == {pool: points for pool, points in rightly.items() if points}
        held = {each.hold_id: each.left for each in told.held}
        assert held == {
            hold_id: aside.left
            for hold_id, aside in naive.aside.items()
            if aside.citizen_id == me and aside.left and not aside.is_over(clock.now())
        }


@pytest.mark.parametrize("seed, few", [(1, store.FEW), (2, 0), (3, store.FEW)])
async def test_the_books_are_the_naive_ledgers(
    database_url: str, ledger: HubProcess, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch, seed: int, few: int
) -> None:
    monkeypatch.setattr(store, "FEW", few)
    monkeypatch.setattr(outbox, "FEW", few)
    naive, mix = NaiveLedger(RULES), Mix(seed, PEOPLE)
    await register(ledger, naive, mix)
    posted: Counter[type[PostingCommand]] = Counter()
    async with running(database_url, "ledger", clock=clock) as other:
        for day in range(DAYS):
            clock.advance(timedelta(days=1, hours=day % 5, minutes=1))
            commands = mix.batch(COMMANDS_A_DAY, clock.business_date(), clock.now())
            answers = await ask_all((ledger, other)[day % 2], *commands)
            today, now = clock.business_date(), clock.now()
            for command, answer in zip(commands, answers, strict=True):
                assert result(answer) == naive.ask(command, today, now), command
                posted[type(command)] += answer.code is None and not answer.replayed
            await is_as_the_naive_ledger_says(ledger, naive, clock)
    assert {kind for kind in OPERATIONS if not posted[kind]} <= {c for c in OPERATIONS if "Refusal" in c.__name__}
    await _settled(ledger, naive)
    reports = [await ask(ledger, VerifyLedger(partition=lane)) for lane in range(LANES)]
    assert [report.fault for report in reports] == [None] * LANES
    assert sum(report.outcomes for report in reports) > DAYS * COMMANDS_A_DAY / 2
    assert posted[CreditCoupon] > 5


async def _settled(ledger: HubProcess, naive: NaiveLedger) -> None:
    async with ledger.database_of("ledger").reading() as reading:
        rows = await reading.fetch("SELECT lg_code, counterparty_id, pool, kind, points FROM ledger.rollup")
    lines: Counter[tuple[str, object, str, str]] = Counter()
    for row in rows:
        lines[row["lg_code"], row["counterparty_id"], row["pool"], kind_name(row["kind"])] += row["points"]
    assert lines == naive.settled
    assert {kind_name(kind) for kind in Kind} >= {key[3] for key in lines if not key[3].startswith("-")}
