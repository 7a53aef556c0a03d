"""Vouchers on a real database: one redemption, numbers of their own in all partitions, check codes under seal."""

import asyncio
from datetime import timedelta
from typing import Final

import asyncpg
import pytest

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.holds import HoldState
from schemas.points import BalanceOf, HoldCommand
from schemas.vouchers import VoucherOfNumber, VoucherPaper, VoucherPaperOf
from tests.running import running
from tests.workers.ledger.test_holds import FIFTY, at_once, codes, value
from tests.workers.ledger.world import FOREVER, START, TODAY, ask, ask_all, citizen, credit, expire
from tests.workers.ledger.world_holds import (
    CODE,
    WRONG_CODE,
    authorise,
    expire_voucher,
    hold_of,
    issue,
    redeem,
)

ME: Final = citizen(1)
DAY = timedelta(days=1)


async def test_fifty_at_once_redeem_one_voucher_once(
    database_url: str, ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), issue("v", ME, 100))
    async with running(database_url, "ledger", clock=clock) as other:
        answers = await at_once((ledger, other), *(redeem(f"r{n}", ME, "v") for n in range(FIFTY)))
    assert codes(answers) == {None: 1, "voucher_used": 49}
    assert await value(ledger, "SELECT balance FROM ledger.contra WHERE name LIKE 'store:%'") == 100


async def test_numbers_are_their_vouchers_own_in_all_partitions(
    database_url: str, ledger: HubProcess, clock: AdjustableClock
) -> None:
    """Everybody is offered the same numbers at once, in eight partitions."""
    people = [citizen(1, lane) for lane in range(8)]
    offered = [f"1000000{n}" for n in range(8)]
    await ask_all(ledger, *(credit(f"c{n}", me, 100, FOREVER) for n, me in enumerate(people)))
    async with running(database_url, "ledger", clock=clock) as other:
        drawn = [issue(f"v{n}", me, 10, numbers=offered[n % 4 :]) for n, me in enumerate(people)]
        answers = await at_once((ledger, other), *drawn)
    numbers = [answer.hold.number for answer in answers if answer.hold]
    assert len(set(numbers)) == len(numbers) == 8


async def test_a_number_is_given_again_once_its_voucher_is_redeemed(ledger: HubProcess) -> None:
    one = ["12345678"]
    await ask_all(ledger, credit("1", ME, 100, FOREVER), credit("2", citizen(1, 1), 100, FOREVER))
    assert (await ask(ledger, issue("v", ME, 10, numbers=one))).code is None
    assert (await ask(ledger, issue("w", citizen(1, 1), 10, numbers=one))).code == "no_number"
    await ask(ledger, redeem("r", ME, "v"))
    assert (await ask(ledger, issue("x", citizen(1, 1), 10, numbers=one))).code is None
    found = (await ask(ledger, VoucherOfNumber(number="12345678"))).vouchers
    assert [(voucher.hold_id, voucher.citizen_id) for voucher in found] == [(hold_of("x"), citizen(1, 1))]


async def test_a_check_code_is_nowhere_in_a_dump(
    ledger: HubProcess, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as text nor in hexadecimal: not in the hold, the outcome, a message or a delivery."""
    monkeypatch.setenv("PGTZ", "UTC")
    await ask_all(ledger, credit("1", ME, 100, FOREVER), issue("v", ME, 10), redeem("r", ME, "v", code=WRONG_CODE))
    async with ledger.database_of("ledger").transaction() as tx:
        tx.send(issue("w", ME, 10))
        tx.send(redeem("s", ME, "w"))
    await ledger.drained(20)
    assert await value(ledger, "SELECT count(*) FROM ledger.hold") == 2
    connection = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        dumped = [str(row) for table in tables for row in await _rows(connection, table["name"])]
    finally:
        await connection.close()
    assert any(str(hold_of("v")) in row for row in dumped)
    assert any("vouchers.issue" in row for row in dumped)
    for code in (CODE, WRONG_CODE):
        assert not [row for row in dumped if code in row or code.encode().hex() in row]


async def _rows(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> list[str]:
    return [row["row"] for row in await connection.fetch(f"SELECT t::text AS row FROM {table} AS t")]  # noqa: S608


async def test_a_reprint_has_the_same_number_and_the_same_code(ledger: HubProcess, clock: AdjustableClock) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), authorise("o", ME, 10, until=START + 9 * DAY))
    issued = await ask(ledger, issue("v", ME, 10, expires_on=TODAY + DAY))
    papers = [await ask(ledger, VoucherPaperOf(citizen_id=ME, hold_id=hold_of("v"))) for _ in range(2)]
    assert papers == [VoucherPaper(voucher=issued.hold, check_code=CODE)] * 2
    nothing = VoucherPaper(voucher=None, check_code=None)
    for me, hold in ((citizen(2), "v"), (ME, "o"), (ME, "unknown")):
        assert await ask(ledger, VoucherPaperOf(citizen_id=me, hold_id=hold_of(hold))) == nothing
    clock.advance(2 * DAY)
    assert await ask(ledger, VoucherPaperOf(citizen_id=ME, hold_id=hold_of("v"))) == nothing


async def test_a_redeemed_voucher_is_not_printed_again(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), issue("v", ME, 10), redeem("r", ME, "v"))
    paper = await ask(ledger, VoucherPaperOf(citizen_id=ME, hold_id=hold_of("v")))
    assert (paper.voucher, paper.check_code) == (None, None)
    (told,) = (await ask(ledger, VoucherOfNumber(number=issue("v", ME, 10).numbers[0]))).vouchers
    assert (told.hold_id, told.state, told.left, told.taken) == (hold_of("v"), HoldState.taken, 0, 10)


async def test_a_number_tells_of_the_open_voucher_first(ledger: HubProcess) -> None:
    first = issue("v", ME, 10)
    again = issue("w", ME, 20, expires_on=TODAY)
    again = again.model_copy(update={"numbers": first.numbers})
    await ask_all(ledger, credit("1", ME, 100, FOREVER), first, redeem("r", ME, "v"))
    assert (await ask(ledger, again)).code is None
    (told,) = (await ask(ledger, VoucherOfNumber(number=first.numbers[0]))).vouchers
    assert (told.hold_id, told.state, told.left) == (hold_of("w"), HoldState.open, 20)


async def test_an_unredeemed_voucher_is_gone_and_settled_with_nobody(
    ledger: HubProcess, clock: AdjustableClock
) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), issue("v", ME, 60), issue("w", ME, 40, expires_on=TODAY + DAY))
    held = (await ask(ledger, BalanceOf(citizen_id=ME))).held
    assert sorted(hold.left for hold in held) == [40, 60]
    clock.advance(DAY)
    assert [hold.left for hold in (await ask(ledger, BalanceOf(citizen_id=ME))).held] == [40]
    answers = await ask_all(
        ledger, redeem("r", ME, "v"), expire_voucher("e1", ME, "v"), expire_voucher("e2", ME, "w"), expire("e3", ME)
    )
    assert [answer.code for answer in answers] == ["voucher_expired", None, "nothing_due", "nothing_due"]
    assert (await ask(ledger, BalanceOf(citizen_id=ME))).by_pool == {}
    assert await value(ledger, "SELECT balance FROM ledger.contra WHERE name LIKE 'expired:%'") == 60
    assert await value(ledger, "SELECT count(*) FROM ledger.contra WHERE name LIKE 'store:%'") == 0
    assert (await ask(ledger, VerifyLedger(partition=0))).fault is None


async def test_a_wrong_code_and_an_unknown_voucher_are_answered_alike(ledger: HubProcess) -> None:
    await ask_all(ledger, credit("1", ME, 100, FOREVER), issue("v", ME, 10))
    wrong, unknown = await ask_all(ledger, redeem("1", ME, "v", code=WRONG_CODE), redeem("2", ME, "unknown"))
    assert wrong.model_dump_json() == unknown.model_dump_json()
    assert wrong.code == "no_voucher"
    again = await ask_all(ledger, redeem("1", ME, "v", code=WRONG_CODE), redeem("2", ME, "unknown"))
    assert again[0].model_dump_json() == again[1].model_dump_json()


def test_what_carries_a_check_code_is_sealed_on_its_way() -> None:
    carrying = [kind for kind in HoldCommand.__subclasses__() if "check_code" in kind.model_fields]
    assert len(carrying) == 2
    assert all(kind.PERSONAL for kind in carrying)


async def test_vouchers_issued_at_once_by_one_citizen_share_one_balance(ledger: HubProcess) -> None:
    await ask(ledger, credit("1", ME, 100, FOREVER))
    answers = await asyncio.gather(*(ask(ledger, issue(f"v{n}", ME, 30)) for n in range(10)))
    assert codes(answers) == {None: 3, "insufficient_points": 7}
