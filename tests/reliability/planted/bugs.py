"""The bugs, each switched on in a simulated process or, by MYKEY_PLANTED, in a real one (worker_process.py)."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date
from typing import Any, Final, NamedTuple, cast
from unittest import mock
from uuid import UUID

from pydantic import BaseModel

from hub import deliveries, failpoints
from hub.calls import Call, CallQueue
from hub.database import Row
from hub.deliveries import Due, Place
from hub.outbox import ToDo
from hub.transaction import Transaction, Writing
from hub.transports.receiver import Receiver
from schemas.points import ExpirePoints, PostingAnswer, PostingCommand
from schemas.values import RESERVE
from workers.ledger import state_statements, statements, store, writer
from workers.ledger.accounts import LotKey
from workers.ledger.book import Book
from workers.ledger.chain import Opened, OutcomeRow, TransferRow, block_hash
from workers.ledger.holds import Hold
from workers.ledger.operations import OPERATIONS, Operation
from workers.ledger.remembered import Remembered
from workers.ledger.store import Head, Known, LotRow


class Bug(NamedTuple):
    """A bug: what it is, how it is switched on, and which invariants say so (one of them is enough)."""

    name: str
    plant: Callable[[], AbstractContextManager[Any]]
    caught_by: frozenset[str]


READ_HEAD: Final = """
SELECT block, hash, next_account, (SELECT max(revision) FROM ledger.pool) AS revision,
    (SELECT hash FROM ledger.block WHERE partition = $1 AND block = $2) AS earlier_hash
FROM ledger.head WHERE partition = $1
"""
"""The lock statement with its FOR UPDATE forgotten."""


def ack_before_commit() -> AbstractContextManager[Any]:
    """The caller is answered when the handler is done, and the commit comes after."""

    async def settle(self: CallQueue, batch: list[Call]) -> None:
        runner = self._runner
        async with runner.database.transaction() as tx:
            answers: list[BaseModel] = []
            for handler, first, end in runner._runs([call.message for call in batch]):
                answers.extend(await handler([call.message for call in batch[first:end]], tx) or [])
            for call, answer in zip(batch, answers, strict=True):
                call.asked.settle(call.place, answer)
            await asyncio.sleep(0.3)
            failpoints.reach("planted.answered")

    return mock.patch.object(CallQueue, "_settle", settle)


@contextmanager
def no_inbox_mark() -> Iterator[None]:
    """A delivery is done first, and crossed off in a transaction of its own afterwards."""
    handle = Receiver.handle

    async def unmarked(*_args: object) -> None:
        return

    async def handle_then_mark(self: Receiver, place: Place, due: Sequence[Due]) -> None:
        await handle(self, place, due)
        async with self.database.transaction() as tx:
            await deliveries.mark_done(tx, place, sorted({one.delivery_id for one in due}))

    with (
        mock.patch("hub.transports.receiver._mark", unmarked),
        mock.patch.object(Receiver, "handle", handle_then_mark),
    ):
        yield


def no_row_lock() -> AbstractContextManager[Any]:
    """The head is read without its lock, and blocks get numbers that never collide."""

    async def lock(tx: Writing, partition: int, remembered: Remembered) -> Head:
        row = await tx.fetch_row(READ_HEAD, partition, remembered.block)
        assert row is not None
        remembered.forget()
        block = row["block"] + random.randrange(10**9)
        return Head(partition, block, row["hash"], row["next_account"], row["revision"] or 0)

    return mock.patch.object(store, "lock", lock)


READ_COUPONS: Final = state_statements.COUPONS.replace("FOR UPDATE OF c", "")
"""Two partitions may read one coupon at once."""


def coupon_not_locked() -> AbstractContextManager[Any]:
    """A coupon is read without its lock: there is one writer at a time, after all, for each citizen."""
    return mock.patch.object(state_statements, "COUPONS", READ_COUPONS)


def order_kept_beyond_its_time() -> AbstractContextManager[Any]:
    """Points set aside for an order come back when somebody sweeps, not when its time is over."""
    return mock.patch.object(Book, "over_holds", return_value=[])


def refund_forgets_the_last_one() -> AbstractContextManager[Any]:
    """A hold does not remember what was given back before."""

    def refund(self: Hold, points: int) -> Hold:
        return replace(self, refunded=points)

    return mock.patch.object(Hold, "refund", refund)


def revoked_citizen_goes_on() -> AbstractContextManager[Any]:
    """An ended MyKey ID is credited and spends as before."""
    return mock.patch("workers.ledger.writer.ALLOWED_ONCE_REVOKED", frozenset(OPERATIONS))


def lost_emit() -> AbstractContextManager[Any]:
    """Every fifth transaction commits its rows without what it said."""
    counter = iter(range(10**9))
    flush: Any = __import__("hub.outbox", fromlist=["flush"]).flush

    async def forgetful(tx: Transaction) -> ToDo:
        if next(counter) % 5 == 4:
            return {}
        todo: ToDo = await flush(tx)
        return todo

    return mock.patch("hub.database.flush", forgetful)


def id_conflict_unchecked() -> AbstractContextManager[Any]:
    """Whatever comes under a known id gets the stored answer."""

    def replay(self: writer._Batch, command: PostingCommand, known: Known) -> PostingAnswer:
        return self._answered(command, known.code, known.points, known.balances, known.posted_on, replayed=True)

    return mock.patch.object(writer._Batch, "_replay", replay)


def expired_lot_spent() -> AbstractContextManager[Any]:
    """A lot counts until the sweeper comes."""
    return mock.patch.object(Book, "_first_day", return_value=date.min)


def latest_lot_first() -> AbstractContextManager[Any]:
    """Points are taken in the order that the lots happen to have."""
    return mock.patch("workers.ledger.book._in_order", lambda lot: -lot[0].expires_on.toordinal())


def origin_forgotten() -> AbstractContextManager[Any]:
    """All reserve points of a day lie in one lot, whoever gave them."""
    usable_lots = Book.usable_lots

    def whoever(self: Book, citizen_id: UUID, pool: str) -> list[tuple[LotKey, int]]:
        lots = usable_lots(self, citizen_id, pool)
        return lots[::-1] if pool == RESERVE else lots

    return mock.patch.object(Book, "usable_lots", whoever)


def rollup_forgotten() -> AbstractContextManager[Any]:
    """A batch that opens several lines keeps only the first."""
    fetch = Transaction.fetch

    async def first_line(self: Transaction, sql: str, *args: Any) -> list[Row]:  # noqa: ANN401 - SQL values
        if sql == statements.ROLL_UP:
            args = (*args[:3], *([column[0]] for column in args[3:]))
        return await fetch(self, sql, *args)

    return mock.patch.object(Transaction, "fetch", first_line)


def chain_row_skipped() -> AbstractContextManager[Any]:
    """The hash is taken over all transfers but the last."""

    def shorter(
        partition: int, block: int, previous: bytes, outcomes: Sequence[OutcomeRow],
        transfers: Sequence[TransferRow], opened: Opened | None,
    ) -> bytes:  # fmt: skip
        return block_hash(partition, block, previous, outcomes, transfers[:-1], opened)

    return mock.patch.object(store, "block_hash", shorter)


def expired_account_not_loaded() -> AbstractContextManager[Any]:
    """An expiry touches an account that the book was not given."""
    expiry = OPERATIONS[ExpirePoints]._replace(contras=lambda _command, _book: ())
    return mock.patch.dict(cast("dict[type[PostingCommand], Operation]", OPERATIONS), {ExpirePoints: expiry})


def refusals_not_kept() -> AbstractContextManager[Any]:
    """Only what was posted is stored."""
    add = store.add

    async def posted_only(
        tx: Transaction,
        volume: int,
        outcomes: Sequence[OutcomeRow],
        transfers: Sequence[TransferRow],
        lots: Sequence[LotRow],
    ) -> None:
        await add(tx, volume, [row for row in outcomes if row.code is None], transfers, lots)

    return mock.patch.object(store, "add", posted_only)


def balance_of_the_batch_lost() -> AbstractContextManager[Any]:
    """A new lot is stored as it was opened by the batch's first transfer."""
    add = store.add

    async def one_less(
        tx: Transaction,
        volume: int,
        outcomes: Sequence[OutcomeRow],
        transfers: Sequence[TransferRow],
        lots: Sequence[LotRow],
    ) -> None:
        await add(tx, volume, outcomes, transfers, [(*row[:-1], max(0, row[-1] - 1)) for row in lots])

    return mock.patch.object(store, "add", one_less)


BUGS: Final = {
    bug.name: bug
    for bug in (
        Bug("ack_before_commit", ack_before_commit, frozenset({"I3", "I4"})),
        Bug("no_inbox_mark", no_inbox_mark, frozenset({"I10"})),
        Bug("no_row_lock", no_row_lock, frozenset({"I2"})),
        Bug("coupon_not_locked", coupon_not_locked, frozenset({"I12"})),
        Bug("order_kept_beyond_its_time", order_kept_beyond_its_time, frozenset({"I6"})),
        Bug("refund_forgets_the_last_one", refund_forgets_the_last_one, frozenset({"I6", "I12"})),
        Bug("revoked_citizen_goes_on", revoked_citizen_goes_on, frozenset({"I6"})),
        Bug("lost_emit", lost_emit, frozenset({"I10"})),
        Bug("id_conflict_unchecked", id_conflict_unchecked, frozenset({"I4"})),
        Bug("expired_lot_spent", expired_lot_spent, frozenset({"I6"})),
        Bug("latest_lot_first", latest_lot_first, frozenset({"I6"})),
        Bug("origin_forgotten", origin_forgotten, frozenset({"I6"})),
        Bug("rollup_forgotten", rollup_forgotten, frozenset({"I2"})),
        Bug("chain_row_skipped", chain_row_skipped, frozenset({"I11"})),
        Bug("expired_account_not_loaded", expired_account_not_loaded, frozenset({"E"})),
        Bug("refusals_not_kept", refusals_not_kept, frozenset({"I3"})),
        Bug("balance_of_the_batch_lost", balance_of_the_batch_lost, frozenset({"I2"})),
    )
}
