"""Batches for the writer, transactions that go wrong at any statement of them, and all that the ledger keeps."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from hub.database import Row
from hub.errors import TransientError
from hub.process import HubProcess
from hub.transaction import Transaction
from schemas.points import PostingCommand
from tests.workers.ledger.world import DATED, FOREVER, START, ask, ask_all, citizen, credit, expire, refusal, use
from tests.workers.ledger.world_holds import (
    authorise,
    capture,
    correct,
    coupon,
    grant,
    issue,
    redeem,
    refund,
    register,
    revoke,
    send,
    send_back,
)
from workers.ledger.book import Terms

ME: Final = citizen(1)
OTHER: Final = citizen(2)
FAR: Final = START + timedelta(days=90)
TERMS: Final = Terms(holding_period_days=21, refund_least_days=30, voucher_limit_days=30)
TABLES: Final = (
    "head", "block", "outcome", "transfer", "lot", "contra", "rollup", "hold", "coupon", "revoked", "correction",
)  # fmt: skip


async def everything(process: HubProcess) -> list[int]:
    """A hash of every row of every table of the ledger."""
    async with process.database_of("ledger").reading() as reading:
        return [
            await reading.fetch_value(f"SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM ledger.{table} AS t")  # noqa: S608
            for table in TABLES
        ]


class Disturbed(Transaction):
    """A transaction that can be told what happens before and after each of its statements."""

    left = 0
    """How many statements are still to come, the disturbed one among them."""

    @classmethod
    def around(cls, tx: Transaction, left: int) -> "Disturbed":
        """The same transaction, to be disturbed at its `left`-th statement."""
        made = cls(tx._connection, tx.clock, tx.source, tx.sealer)
        made.left = left
        return made

    def begins(self) -> None:
        """A statement is about to be sent."""

    def ends(self) -> None:
        """A statement was done."""

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        self.begins()
        rows = await super().fetch(sql, *args)
        self.ends()
        return rows

    async def fetch_row(self, sql: str, *args: object) -> Row | None:
        self.begins()
        row = await super().fetch_row(sql, *args)
        self.ends()
        return row

    async def execute(self, sql: str, *args: object) -> str:
        self.begins()
        tag = await super().execute(sql, *args)
        self.ends()
        return tag

    async def copy(self, schema: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        self.begins()
        await super().copy(schema, table, columns, rows)
        self.ends()


class Failing(Disturbed):
    """A transaction whose n-th statement is its last."""

    def ends(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise TransientError("after the n-th statement")


class Cancelled(Disturbed):
    """A transaction whose task is cancelled while its n-th statement is under way."""

    def begins(self) -> None:
        self.left -= 1
        if self.left == 0:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()


async def first_six(ledger: HubProcess) -> list[PostingCommand]:
    await ask(ledger, credit("1", ME, 100, FOREVER))
    return [credit("2", ME, 5), use("3", ME, 5), refusal("4", ME)]


async def holds_and_ends(ledger: HubProcess) -> list[PostingCommand]:
    """Everything that is written only now and then, all in one batch."""
    await register(ledger, ["c"])
    wrong = use("w", ME, 5)
    await ask_all(
        ledger, credit("1", ME, 100, FOREVER), wrong, authorise("o", ME, 10), issue("v", ME, 10), send("m", ME, 10),
        credit("d", ME, 9, DATED), authorise("late", ME, 9, DATED), expire("none", OTHER),
    )  # fmt: skip
    return [
        coupon("k", ME, "c"), grant("g", ME, 5), correct("x", wrong), capture("p", ME, "o", 4), refund("f", ME, "o", 1),
        redeem("r", ME, "v"), send_back("b", ME, "m"), issue("v2", ME, 5), authorise("o2", ME, 5, until=FAR),
        send("m2", ME, 5), expire("e", ME), use("u", ME, 1), credit("i", OTHER, 3), revoke("end", OTHER),
    ]  # fmt: skip
