"""docs/contracts/ledger.md: its example is right, and with its rules alone a real chain can be checked."""

import hashlib
import re
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

from hub.clock import AdjustableClock
from schemas.points import CreditPoints
from tests.hub.parts import credit
from tests.running import running
from workers.ledger.accounts import Kind
from workers.ledger.chain import AccountRow, Opened, OutcomeRow, TransferRow, accounts_hash, block_hash

TEXT: Final = (Path(__file__).parents[2] / "docs" / "contracts" / "ledger.md").read_text(encoding="utf-8")
ACCOUNTS, ACCOUNTS_HASH, EXAMPLE, HASH = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)

BLOCKS: Final = "SELECT block, hash, first_account, until_account FROM ledger.block WHERE partition = $1 ORDER BY block"
LOTS: Final = """
SELECT account, replace(citizen_id::text, '-', ''), pool,
    CASE WHEN expires_on = 'infinity' THEN '9999-12-31' ELSE expires_on::text END, replace(origin::text, '-', '')
FROM ledger.lot WHERE partition = $1 AND account >= $2 AND account < $3
"""
CONTRAS: Final = "SELECT account, name FROM ledger.contra WHERE partition = $1 AND account >= $2 AND account < $3"
OUTCOMES: Final = "SELECT * FROM ledger.outcome WHERE partition = $1 AND block = $2 ORDER BY number"
TRANSFERS: Final = "SELECT * FROM ledger.transfer WHERE partition = $1 AND block = $2 ORDER BY line"


def test_the_example_hashes_to_what_the_text_says() -> None:
    for text, digest in ((ACCOUNTS, ACCOUNTS_HASH), (EXAMPLE, HASH)):
        assert hashlib.sha256(text.replace("→", "\t").encode()).hexdigest() == digest.strip()
    assert ACCOUNTS_HASH.strip() in EXAMPLE


def test_the_shell_line_is_the_example() -> None:
    (shell,) = re.findall(r"printf '(.*)' \| sha256sum", TEXT)

    assert shell.replace(r"\t", "\t").replace(r"\n", "\n") == EXAMPLE.replace("→", "\t")


def test_the_ledger_hashes_the_example_alike() -> None:
    day = date(2017, 10, 2)
    outcome = OutcomeRow(
        UUID(int=7), "2017-10-000123", bytes(range(16)), 12, 1, 0, UUID(int=0x4C), 1, None, 500, '{"reserve": 500}', day
    )
    transfer = TransferRow(12, 1, 0, 0, 1, 1, 2, 500, day)

    lot = AccountRow(2, None, UUID(int=0x4C), "reserve", date(2017, 10, 23), UUID(int=7))
    opened = Opened(1, 3, accounts_hash([AccountRow(1, f"partner:{UUID(int=7).hex}"), lot]))

    assert opened.hash.hex() == ACCOUNTS_HASH.strip()
    assert block_hash(12, 1, b"\x00", [outcome], [transfer], opened).hex() == HASH.strip()


def test_the_kinds_are_the_ledgers() -> None:
    (told,) = re.findall(r"- `kind`: (.*)\.\n", TEXT)

    assert [int(number) for number in re.findall(r"(\d+) ", told)] == [kind.value for kind in Kind]


async def test_a_real_chain_can_be_checked_by_these_rules(database_url: str, clock: AdjustableClock) -> None:
    citizen = UUID(int=0xABCDEF5)
    async with running(database_url, "ledger", clock=clock) as process:
        for n in (1, 2, 2, 3):
            command: CreditPoints = credit(n, citizen)
            await process.call(command, deadline_s=5)
    owner = await asyncpg.connect(database_url)

    previous, checked = "00", 0
    for block in await owner.fetch(BLOCKS, 5):
        text = f"b\t5\t{block['block']}\t{previous}{await _opened(owner, block)}\n"
        text += "".join(_outcome(row) for row in await owner.fetch(OUTCOMES, 5, block["block"]))
        text += "".join(_transfer(row) for row in await owner.fetch(TRANSFERS, 5, block["block"]))
        previous, checked = hashlib.sha256(text.encode()).hexdigest(), checked + 1
        assert block["hash"].hex() == previous
    await owner.close()

    assert checked >= 3


async def _opened(owner: "asyncpg.Connection[asyncpg.Record]", block: Any) -> str:  # noqa: ANN401 - a row
    """What the head line ends with."""
    if block["first_account"] is None:
        return ""
    span = block["first_account"], block["until_account"]
    rows = [tuple(row) for sql in (LOTS, CONTRAS) for row in await owner.fetch(sql, 5, *span)]
    lines = ["\t".join(["a", *map(str, row)]) + "\n" for row in sorted(rows, key=itemgetter(0))]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return f"\t{span[0]}\t{span[1]}\t{digest}"


def _outcome(row: Any) -> str:  # noqa: ANN401 - a row
    fields = (
        row["number"], row["party_id"].hex, row["command_id"], row["request_hash"].hex(), row["citizen_id"].hex,
        row["kind"], row["code"] or "", row["points"], row["balances"], row["posted_on"].isoformat(),
    )  # fmt: skip
    return "\t".join(["o", *map(str, fields)]) + "\n"


def _transfer(row: Any) -> str:  # noqa: ANN401 - a row
    names = ("line", "outcome", "kind", "debit", "credit", "points", "business_date")
    return "\t".join(["t", *(str(row[name]) for name in names)]) + "\n"
