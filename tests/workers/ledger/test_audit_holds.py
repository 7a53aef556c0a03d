"""The audit of what is set aside, used up, ended and corrected: whatever is done to those rows is named (F36)."""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest

from hub.process import HubProcess
from schemas.audit import VerifyLedger, VerifyReport
from schemas.vouchers import VoucherPaperOf
from tests.workers.ledger.tamperings import Tampering
from tests.workers.ledger.world import FOREVER, OTHER_STORE, ask, ask_all, citizen, credit, use
from tests.workers.ledger.world_holds import (
    acknowledge,
    authorise,
    capture,
    code_hash,
    correct,
    coupon,
    hold_of,
    issue,
    redeem,
    refund,
    register,
    revoke,
    send,
    void,
)

ME: Final = citizen(1)
ENDED: Final = citizen(2)
OPEN_ORDER, OPEN_VOUCHER, PAID = (str(hold_of(name)) for name in ("order", "voucher", "paid"))


def changed(what: str, hold: str = OPEN_ORDER) -> str:
    """One row of ledger.hold, edited."""
    return f"UPDATE ledger.hold SET {what} WHERE hold_id = '{hold}'"  # noqa: S608


COUPON: Final = "UPDATE ledger.coupon SET"
FIXED: Final = (
    "counterparty_id = hold_id", "lg_code = '131024'", "expires_at = expires_at + interval '1 s'",
    "number = '00000000'", "citizen_id = '00000000-0000-0000-0000-000000000300'", "kind = 'merge'",
    "pool = 'scheme:131024'", "part_expires_on = ARRAY['2027-01-01'::date]", "part_points = ARRAY[4]",
    "part_origins = ARRAY[hold_id]",
)  # fmt: skip
TAMPERINGS: Final = (
    *(Tampering(f"order {what}", changed(what), "hold", OPEN_ORDER, "not as it was made") for what in FIXED),
    Tampering("voucher until", changed("expires_at = 'infinity'", OPEN_VOUCHER), "hold", OPEN_VOUCHER, "as it was"),
    Tampering("set aside", changed("points = points + 1"), "hold", OPEN_ORDER, "not as it was made"),
    Tampering("left", changed("remaining = remaining - 1"), "hold", OPEN_ORDER, "5 set aside, 4 left"),
    Tampering("state", changed("state = 'returned', remaining = 0"), "hold", OPEN_ORDER, "says returned"),
    Tampering("expired", changed("state = 'expired', remaining = 0"), "hold", OPEN_ORDER, "says expired"),
    Tampering("open again", changed("state = 'open', remaining = 9", PAID), "hold", PAID, "outcomes taken"),
    Tampering("taken", changed("taken = taken - 1", PAID), "hold", PAID, "8 taken"),
    Tampering("refunded", changed("refunded = 0", PAID), "hold", PAID, "0 refunded; its outcomes say 9, 0, 9, 4"),
    Tampering("gone", f"DELETE FROM ledger.hold WHERE hold_id = '{PAID}'", "hold", PAID, "it is not"),  # noqa: S608
    Tampering(
        "made up",
        "INSERT INTO ledger.hold SELECT (jsonb_populate_record(h, jsonb_build_object('hold_id', gen_random_uuid(),"
        " 'number', '1'))).* FROM ledger.hold AS h WHERE number IS NOT NULL",
        "hold", "", "no outcome ever",
    ),
    Tampering("elsewhere", changed("partition = 1", PAID), "hold", PAID, "it is not"),
    Tampering(
        "terms in the journal", "UPDATE ledger.outcome SET hold_terms = sha256('x') WHERE kind = 30",
        "block", "0/1", "hash does not fit",
    ),
    Tampering(
        "hold in the journal", "UPDATE ledger.outcome SET hold_id = gen_random_uuid() WHERE hold_id IS NOT NULL",
        "block", "0/1", "hash does not fit",
    ),
    Tampering(
        "box", "UPDATE ledger.contra SET balance = balance + 1 WHERE name LIKE 'checkout:%'", "contra", "checkout:",
        "add up to 5",
    ),
    Tampering(
        "coupon given back", "UPDATE ledger.coupon SET used_by = NULL, used_on = NULL", "coupon", str(ME),
        "0 are used with 0 points, and the outcomes say 1 with 100",
    ),
    Tampering("coupon worth more", "UPDATE ledger.coupon SET points = 999", "coupon", str(ME), "999 points"),
    Tampering("coupon of another", f"{COUPON} used_by = '{ENDED}' WHERE used_by = '{ME}'", "coupon", "", "1 with"),
    Tampering(
        "coupons swapped", "UPDATE ledger.coupon AS c SET used_by = o.used_by, used_on = o.used_on"
        " FROM ledger.coupon AS o WHERE o.code_hash <> c.code_hash", "coupon", code_hash("c").hex(), "it is not used",
    ),
    Tampering(
        "coupon used later", f"{COUPON} used_on = '2027-01-01' WHERE used_by = '{ME}'", "coupon",
        code_hash("c").hex(), "on 2027-01-01, and its outcome 100 for",
    ),
    Tampering("alive again", "DELETE FROM ledger.revoked", "revoked", str(ENDED), "it is not"),
    Tampering("ended", f"INSERT INTO ledger.revoked VALUES ('{ME}', '2026-01-10')", "revoked", str(ME), "no outcome"),  # noqa: S608
    Tampering("ended earlier", "UPDATE ledger.revoked SET revoked_on = '2025-01-01'", "revoked", str(ENDED), "2025"),
    Tampering("not corrected", "DELETE FROM ledger.correction", "correction", str(ME), "0 are there over 0 points"),
    Tampering(
        "corrected another", "UPDATE ledger.correction SET command_id = 'other'", "correction", str(ME), "over 3 points"
    ),
    Tampering(
        "corrected one alike", f"UPDATE ledger.correction SET party_id = '{OTHER_STORE}', command_id = 'alike'",  # noqa: S608
        "correction", "alike", "does not reverse what was posted",
    ),
    Tampering("corrected nowhere", "UPDATE ledger.correction SET block = NULL", "correction", "0/1/", "not what it"),
    Tampering("corrected late", "UPDATE ledger.correction SET corrected_on = '2027-01-01'", "correction", "w", "2027"),
    Tampering("corrected nothing", "UPDATE ledger.correction SET command_id = 'x'", "correction", "", "over"),
)  # fmt: skip


@pytest.fixture
async def books(ledger: HubProcess) -> HubProcess:
    """Open and ended holds, a coupon, a correction and a revocation in partition 0; the same, but open, in 1."""
    await register(ledger, ["c", "d"])
    wrong = use("wrong", ME, 2)
    await ask_all(
        ledger, credit("1", ME, 100, FOREVER), coupon("2", ME, "c"), wrong, use("other", ME, 3), correct("3", wrong),
        use("alike", ME, 2, store_id=OTHER_STORE),
        authorise("order", ME, 5), issue("voucher", ME, 7), authorise("paid", ME, 9), capture("4", ME, "paid"),
        refund("5", ME, "paid", 4), send("street", ME, 3), acknowledge("6", ME, "street"), authorise("void", ME, 1),
        void("7", ME, "void"),
    )  # fmt: skip
    await ask_all(ledger, credit("8", ENDED, 9, FOREVER), authorise("late", ENDED, 2), revoke("9", ENDED))
    await ask(ledger, void("10", ENDED, "late"))
    neighbour = citizen(1, lane=1)
    await ask_all(ledger, credit("11", neighbour, 9, FOREVER), authorise("next", neighbour, 2))
    return ledger


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Somebody with every right and the triggers switched off."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE ledger.outcome DISABLE TRIGGER USER")
    for check in await connection.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'ledger.hold'::regclass AND contype = 'c'"
    ):
        await connection.execute(f"ALTER TABLE ledger.hold DROP CONSTRAINT {check['conname']}")
    yield connection
    await connection.close()


async def verify(process: HubProcess, partition: int = 0) -> VerifyReport:
    return await ask(process, VerifyLedger(partition=partition))


async def test_sound_books_are_proven(books: HubProcess) -> None:
    assert [(await verify(books, partition)).fault for partition in range(3)] == [None] * 3


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.name.replace(" ", "-"))
async def test_tampering_is_named(
    books: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]", tampering: Tampering
) -> None:
    await owner.execute(tampering.sql)
    fault = (await verify(books)).fault
    assert fault is not None
    assert fault.table == tampering.table
    assert tampering.key in fault.key
    assert tampering.what in fault.what


async def test_a_check_code_put_in_from_another_voucher_redeems_nothing(
    books: HubProcess, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A seal is bound to its row: one moved to another row does not open, and tells nothing."""
    await ask(books, issue("mine", ME, 1))
    await owner.execute(
        "UPDATE ledger.hold SET sealed_code = (SELECT sealed_code FROM ledger.hold WHERE hold_id = $1)"
        " WHERE hold_id = $2",
        hold_of("mine"), hold_of("voucher"),
    )  # fmt: skip
    paper = await ask(books, VoucherPaperOf(citizen_id=ME, hold_id=hold_of("voucher")))
    assert (paper.voucher, paper.check_code) == (None, None)
    assert (await ask(books, redeem("r", ME, "voucher"))).code == "no_voucher"
