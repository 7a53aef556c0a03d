"""docs/contracts/ledger.md: its example is right, and with its rules alone a real chain can be checked."""

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

from hub.clock import AdjustableClock
from schemas.points import CreditPoints
from tests.hub.parts import credit
from tests.running import running
from workers.ledger.accounts import Kind
from workers.ledger.chain import OutcomeRow, TransferRow, block_hash

TEXT: Final = (Path(__file__).parents[2] / "docs" / "contracts" / "ledger.md").read_text(encoding="utf-8")
EXAMPLE, HASH = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)

BLOCKS: Final = "SELECT block, hash FROM ledger.block WHERE partition = $1 ORDER BY block"
OUTCOMES: Final = "SELECT * FROM ledger.outcome WHERE partition = $1 AND block = $2 ORDER BY number"
TRANSFERS: Final = "SELECT * FROM ledger.transfer WHERE partition = $1 AND block = $2 ORDER BY line"


def test_the_example_hashes_to_what_the_text_says() -> None:
    assert hashlib.sha256(EXAMPLE.replace("→", "\t").encode()).hexdigest() == HASH.strip()


def test_the_shell_line_is_the_example() -> None:
    (shell,) = re.findall(r"printf '(.*)' \| sha256sum", TEXT)

    assert shell.replace(r"\t", "\t").replace(r"\n", "\n") == EXAMPLE.replace("→", "\t")


def test_the_ledger_hashes_the_example_alike() -> None:
    day = date(2017, 10, 2)
    outcome = OutcomeRow(
        UUID(int=7), "2017-10-000123", bytes(range(16)), 12, 1, 0, UUID(int=0x4C), 1, None, 500, '{"reserve": 500}', day
    )
    transfer = TransferRow(12, 1, 0, 0, 1, 1, 2, 500, day)

    assert block_hash(12, 1, b"\x00", [outcome], [transfer]).hex() == HASH.strip()


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
        text = f"b\t5\t{block['block']}\t{previous}\n"
        text += "".join(_outcome(row) for row in await owner.fetch(OUTCOMES, 5, block["block"]))
        text += "".join(_transfer(row) for row in await owner.fetch(TRANSFERS, 5, block["block"]))
        previous, checked = hashlib.sha256(text.encode()).hexdigest(), checked + 1
        assert block["hash"].hex() == previous
    await owner.close()

    assert checked >= 3


def _outcome(row: Any) -> str:  # noqa: ANN401 - a row
    fields = (
        row["number"], row["party_id"].hex, row["command_id"], row["request_hash"].hex(), row["citizen_id"].hex,
        row["kind"], row["code"] or "", row["points"], row["balances"], row["posted_on"].isoformat(),
    )  # fmt: skip
    return "\t".join(["o", *map(str, fields)]) + "\n"


def _transfer(row: Any) -> str:  # noqa: ANN401 - a row
    names = ("line", "outcome", "kind", "debit", "credit", "points", "business_date")
    return "\t".join(["t", *(str(row[name]) for name in names)]) + "\n"
