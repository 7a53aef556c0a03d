"""Loading the book of a batch and writing it back: few set-based statements, one transaction, under the head's lock."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from hub import failpoints
from hub.errors import PermanentError
from hub.transaction import Transaction
from schemas.points import PostingCommand
from workers.ledger import state_store, statements
from workers.ledger.accounts import LotKey, PoolRule
from workers.ledger.book import Balance, Book, Place
from workers.ledger.chain import OutcomeRow, TransferRow, block_hash
from workers.ledger.footprints import of_holds
from workers.ledger.operations import OPERATIONS


class StrayAccountError(PermanentError):
    """An operation touched an account that it had not said it would, or one is gone: a defect; nothing was written."""


class Head(NamedTuple):
    """The end of a partition's chain, locked; `revision` tells whether the pools' rules changed."""

    block: int
    hash: bytes
    next_account: int
    revision: int


class Known(NamedTuple):
    """An outcome there already is."""

    request_hash: bytes
    code: str | None
    points: int
    balances: dict[str, int]
    posted_on: date


@dataclass(slots=True)
class Written:
    """What a batch adds to the journal."""

    outcomes: list[OutcomeRow] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)


async def lock(tx: Transaction, partition: int) -> Head:
    """Become the partition's one writer until the commit."""
    row = await tx.fetch_row(statements.LOCK, partition)
    assert row is not None  # noqa: S101 - the migration made all partitions
    return Head(row["block"], row["hash"], row["next_account"], row["revision"] or 0)


async def load_pools(tx: Transaction) -> dict[str, PoolRule]:
    """The rules of all schemes and events."""
    return {
        row["pool"]: PoolRule(
            row["pool"],
            row["lg_code"],
            row["expiry_rule"],
            row["first"],
            row["last"],
            frozenset(row["usable_in"]),
        )
        for row in await tx.fetch(statements.POOLS)
    }


async def load_known(tx: Transaction, commands: Sequence[PostingCommand]) -> dict[tuple[UUID, str], Known]:
    """The outcomes that some of these commands already have."""
    parties, ids = [c.party_id for c in commands], [c.command_id for c in commands]
    return {
        (row["party_id"], row["command_id"]): Known(
            row["request_hash"], row["code"], row["points"], json.loads(row["balances"]), row["posted_on"]
        )
        for row in await tx.fetch(statements.OUTCOMES, parties, ids)
    }


async def load_book(tx: Transaction, partition: int, commands: Sequence[PostingCommand], book: Book) -> None:
    """Put the union of the commands' footprints into the book: state, the lots, then the contra accounts."""
    await state_store.load(tx, partition, commands, book)
    asked = {(c.citizen_id, pool) for c in commands for pool in OPERATIONS[type(c)].pools(c, book)}
    citizens_here = {command.citizen_id for command in commands}
    mine = [hold for hold in book.holds.values() if hold.citizen_id in citizens_here]
    await _load_lots(tx, list(asked | {(hold.citizen_id, hold.pool) for hold in mine}), book)
    await state_store.load_past_lots(tx, citizens_here, book)
    contras = {contra for command in commands for contra in OPERATIONS[type(command)].contras(command, book)}
    names = {contra.name: contra for contra in (*contras, *of_holds(mine))}
    if names:
        for name, place, account in await tx.fetch(statements.CONTRAS, partition, list(names)):
            book.contras[names[name]] = Balance(account, 0, place)


async def _load_lots(tx: Transaction, asked: Sequence[tuple[UUID, str]], book: Book) -> None:
    """Of each citizen the lots of one pool, or with '' of all."""
    by_pool = [(citizen_id, pool) for citizen_id, pool in asked if pool]
    if by_pool:
        wallets = [book.lots[citizen_id] for citizen_id, _ in by_pool]
        citizens, pools = zip(*by_pool, strict=True)
        for number, place, account, pool, expires_on, origin, points in await tx.fetch(
            statements.LOTS, citizens, pools, book.today
        ):
            wallets[number - 1][LotKey(pool, expires_on, origin)] = Balance(account, points, place)
    of_all = [citizen_id for citizen_id, pool in asked if not pool]
    if of_all:
        for citizen_id, place, account, pool, expires_on, origin, points in await tx.fetch(
            statements.ALL_LOTS, of_all, book.today
        ):
            book.lots[citizen_id][LotKey(pool, expires_on, origin)] = Balance(account, points, place)


async def write(tx: Transaction, partition: int, head: Head, book: Book, written: Written) -> None:
    """Write the batch and seal its block."""
    block = head.block + 1
    await tx.copy("ledger", "outcome", statements.OUTCOME_COLUMNS, written.outcomes)
    if written.transfers:
        await tx.copy("ledger", "transfer", statements.TRANSFER_COLUMNS, written.transfers)
        await _write_lots(tx, partition, book)
        failpoints.reach("ledger.mid_write")
        await _write_contras(tx, partition, book)
        await _write_rollups(tx, partition, block, book)
    await state_store.write(tx, partition, book)
    sealed = block_hash(partition, block, head.hash, written.outcomes, written.transfers)
    await tx.execute(
        statements.SEAL, partition, block, head.hash, sealed, len(written.outcomes), len(written.transfers), tx.now,
        book.next_account,
    )  # fmt: skip


async def _write_lots(tx: Transaction, partition: int, book: Book) -> None:
    new: list[tuple[Any, ...]] = []
    old: list[tuple[Place, int, int]] = []
    for citizen_id, key, balance in book.changed_lots:
        if balance.place is None:
            new.append((partition, balance.account, citizen_id, *key, balance.points))
        else:
            old.append((balance.place, balance.account, balance.points))
    if new:
        await tx.copy("ledger", "lot", statements.LOT_COLUMNS, new)
    if old:
        # In the order of their places, so that the table is walked in one direction.
        old.sort()
        _all_there(await tx.execute(statements.CHANGE_LOTS, partition, *zip(*old, strict=True)), len(old), partition)


async def _write_contras(tx: Transaction, partition: int, book: Book) -> None:
    changed = [(b.place, b.account, b.points) for _, b in book.changed_contras if b.place is not None]
    if changed:
        tag = await tx.execute(statements.CHANGE_CONTRAS, partition, *zip(*changed, strict=True))
        _all_there(tag, len(changed), partition)
    opened = [
        (balance.account, contra.name, contra.party_id, balance.points)
        for contra, balance in book.changed_contras
        if balance.place is None
    ]
    if opened:
        tag = await tx.execute(statements.OPEN_CONTRAS, partition, *zip(*opened, strict=True))
        _all_there(tag, len(opened), partition)


def _all_there(tag: str, expected: int, partition: int) -> None:
    """Raises StrayAccountError where PostgreSQL's command tag tells of fewer rows."""
    if int(tag.rpartition(" ")[2]) != expected:
        raise StrayAccountError(f"partition {partition}: {tag}, not {expected}")


async def _write_rollups(tx: Transaction, partition: int, block: int, book: Book) -> None:
    lines = [
        (*line.key, int(line.kind), line.transfers, line.points, line.transactions) for line in book.lines.values()
    ]
    there = await tx.fetch(statements.ROLL_UP, partition, book.today, block, *zip(*lines, strict=True))
    if len(there) < len(lines):
        found = {row["n"] for row in there}
        new = [line for n, line in enumerate(lines, start=1) if n not in found]
        await tx.execute(statements.OPEN_ROLLUPS, partition, book.today, block, *zip(*new, strict=True))
