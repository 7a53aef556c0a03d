"""Loading the book of a batch and writing it back: few set-based statements, one transaction, under the head's lock."""

import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from hub import failpoints
from hub.errors import PermanentError, TransientError
from hub.transaction import Reading, Writing
from schemas.points import PostingCommand
from workers.ledger import state_store, statements
from workers.ledger.accounts import Contra, LotKey, PoolRule, RollupKey
from workers.ledger.book import Balance, Book, Place
from workers.ledger.chain import AccountRow, Opened, OutcomeRow, TransferRow, accounts_hash, block_hash
from workers.ledger.footprints import of_holds
from workers.ledger.operations import OPERATIONS
from workers.ledger.remembered import Remembered

VOLUME_OUTCOMES: Final = 1 << 18
"""So many outcomes of a partition make a volume: about 18 MB of the index by citizen. All partitions write their last
volumes, so 290 MB of it change; and a history is looked for in each volume, newest first."""
FEW: Final = 32
"""So many outcomes, and so many transfers, are written by one statement; more by COPY."""
Key: TypeAlias = tuple[UUID, str]
"""A command's idempotency key: its party, and the party's own id of it."""
LotRow: TypeAlias = tuple[int, int, UUID, str, date, UUID, int]
"""A new lot, by LOT_COLUMNS."""
ContraRow: TypeAlias = tuple[int, str, UUID | None, int]
"""A new contra account: its number, name, party and points."""


class StrayAccountError(PermanentError):
    """An operation touched an account that it had not said it would, or one is gone: a defect; nothing was written."""


class PartitionElsewhereError(TransientError):
    """MYKEY_PARTITION_DATABASES does not name the database in which this partition lives: nothing was written."""


class DayClosedError(TransientError):
    """By this process's clock it is a day that is closed: its clock is late; nothing was written."""


class Volume(NamedTuple):
    """The volume that a partition's outcomes go into, and how many it has."""

    number: int = 0
    outcomes: int = 0

    def for_more(self) -> "Volume":
        """The one for the next batch: this one, or a new one where it is full."""
        return self if self.outcomes < VOLUME_OUTCOMES else Volume(self.number + 1)


class Head(NamedTuple):
    """The end of a partition's chain, locked; `revision` tells whether the pools' rules changed.

    Nothing is posted on the day `closed_to`, nor on one before it.
    """

    partition: int
    block: int
    hash: bytes
    next_account: int
    revision: int
    closed_to: date = date.min
    volume: Volume = Volume()


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


async def lock(tx: Writing, partition: int, remembered: Remembered) -> Head:
    """Become the partition's one writer until the commit; what is remembered of another history is forgotten.

    Raises PartitionElsewhereError.
    """
    block, block_hash = remembered.block, remembered.hash
    row = await tx.fetch_row(statements.LOCK, partition, block)
    if row is None:
        raise PartitionElsewhereError(f"partition {partition}")
    if row["earlier_hash"] != block_hash:
        remembered.forget()
    remembered.seen(row["block"], row["hash"])
    volume = Volume(row["volume"], row["volume_outcomes"])
    revision = row["revision"] or 0
    return Head(partition, row["block"], row["hash"], row["next_account"], revision, row["closed_to"], volume)


async def load_pools(tx: Reading, pools: Sequence[str] | None = None) -> dict[str, PoolRule]:
    """The rules of these schemes and events, or of all."""
    return {
        row["pool"]: PoolRule(
            row["pool"],
            row["lg_code"],
            row["expiry_rule"],
            row["first"],
            row["last"],
            frozenset(row["usable_in"]),
        )
        for row in await tx.fetch(statements.POOLS, pools)
    }


async def load_known(tx: Reading, commands: Sequence[PostingCommand]) -> dict[Key, Known]:
    """The outcomes that some of these commands already have."""
    return await known_outcomes(tx, [c.party_id for c in commands], [c.command_id for c in commands])


async def known_outcomes(tx: Reading, parties: Sequence[UUID], ids: Sequence[str]) -> dict[Key, Known]:
    """The outcomes that there are of these parties' ids."""
    return {
        (row["party_id"], row["command_id"]): Known(
            row["request_hash"], row["code"], row["points"], json.loads(row["balances"]), row["posted_on"]
        )
        for row in await tx.fetch(statements.OUTCOMES, parties, ids)
    }


async def load_book(
    tx: Writing, partition: int, commands: Sequence[PostingCommand], book: Book, remembered: Remembered
) -> None:
    """Put the union of the commands' footprints into the book: state, the lots, then the contra accounts."""
    citizens_here = {command.citizen_id for command in commands}
    await state_store.load(tx, partition, commands, citizens_here, book)
    asked = {(c.citizen_id, pool) for c in commands for pool in OPERATIONS[type(c)].pools(c, book)}
    mine = [hold for hold in book.holds.values() if hold.citizen_id in citizens_here]
    await _load_lots(tx, list(asked | {(hold.citizen_id, hold.pool) for hold in mine}), book)
    await state_store.load_past_lots(tx, citizens_here, book)
    contras = {contra for command in commands for contra in OPERATIONS[type(command)].contras(command, book)}
    contras.update(of_holds(mine))
    await _load_contras(tx, partition, contras, book, remembered)


async def _load_contras(
    tx: Reading, partition: int, contras: AbstractSet[Contra], book: Book, remembered: Remembered
) -> None:
    """Those that there are: each is asked for once."""
    # Before anything is learnt: that may forget the others.
    there = {contra: remembered.accounts[contra] for contra in contras if contra in remembered.accounts}
    names = {contra.name: contra for contra in contras if contra not in there}
    if names:
        found = {names[name]: account for name, account in await tx.fetch(statements.CONTRAS, partition, list(names))}
        remembered.learn_accounts(found.items())
        there.update(found)
    for contra, account in there.items():
        book.contras[contra] = Balance(account, 0)


async def _load_lots(tx: Reading, asked: Sequence[tuple[UUID, str]], book: Book) -> None:
    """Of each citizen the lots of one pool, or with '' of all."""
    by_pool = [(citizen_id, pool) for citizen_id, pool in asked if pool]
    if by_pool:
        wallets = [book.lots[citizen_id] for citizen_id, _ in by_pool]
        citizens, pools = zip(*by_pool, strict=True)
        for number, place, account, expires_on, origin, points in await tx.fetch(
            statements.LOTS, citizens, pools, book.today
        ):
            wallets[number - 1][LotKey(pools[number - 1], expires_on, origin)] = Balance(account, points, place)
    of_all = [citizen_id for citizen_id, pool in asked if not pool]
    if of_all:
        for citizen_id, place, account, pool, expires_on, origin, points in await tx.fetch(
            statements.ALL_LOTS, of_all, book.today
        ):
            book.lots[citizen_id][LotKey(pool, expires_on, origin)] = Balance(account, points, place)


async def write(tx: Writing, head: Head, book: Book, written: Written, remembered: Remembered) -> None:
    """Write the batch and seal its block."""
    partition, block = head.partition, head.block + 1
    lots, places = _lots(partition, book)
    volume = head.volume.for_more()
    await add(tx, volume.number, written.outcomes, written.transfers, lots)
    failpoints.reach("ledger.mid_write")
    new_contras, contras = _contras(head, book)
    await _open_contras(tx, partition, new_contras)
    lines = await _lines(tx, partition, block, book, remembered)
    await state_store.write(tx, partition, block, book)
    opened = _opened(head, book, lots, new_contras)
    sealed = block_hash(partition, block, head.hash, written.outcomes, written.transfers, opened)
    changed = await tx.fetch_row(
        statements.CHANGE, partition, block, head.hash, sealed, len(written.outcomes), len(written.transfers), tx.now,
        book.next_account, volume.number, volume.outcomes + len(written.outcomes),
        *_columns(places, 3), *_columns(contras, 2), *_columns(lines, 4),
        *(opened[::2] if opened else (None, None)),
    )  # fmt: skip
    expected = len(places), len(contras), len(lines)
    if changed is None or tuple(changed) != expected:
        raise StrayAccountError(f"partition {partition}: {changed}, not {expected}")


async def add(
    tx: Writing,
    volume: int,
    outcomes: Sequence[OutcomeRow],
    transfers: Sequence[TransferRow],
    lots: Sequence[LotRow],
) -> None:
    """Add a batch's rows to the journal, and its new lots."""
    stored = [(*row, volume) for row in outcomes]
    if max(len(outcomes), len(transfers)) <= FEW:
        await tx.execute(
            statements.ADD_FEW,
            *_columns(stored, len(statements.OUTCOME_COLUMNS)),
            *_columns(transfers, len(statements.TRANSFER_COLUMNS)),
            *_columns(lots, len(statements.LOT_COLUMNS)),
        )
        return
    await tx.copy("ledger", "outcome", statements.OUTCOME_COLUMNS, stored)
    if transfers:
        await tx.copy("ledger", "transfer", statements.TRANSFER_COLUMNS, transfers)
    if lots:
        await tx.copy("ledger", "lot", statements.LOT_COLUMNS, lots)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> Iterable[Sequence[Any]]:
    """Rows, turned by a quarter: an array for each of their columns, also where there are none."""
    return zip(*rows, strict=True) if rows else [()] * width


def _lots(partition: int, book: Book) -> tuple[list[LotRow], list[tuple[Place, int, int]]]:
    """The new ones, and the others' balances, in the order of their places: the table is walked in one direction."""
    new: list[LotRow] = []
    old: list[tuple[Place, int, int]] = []
    for citizen_id, key, balance in book.changed_lots:
        if balance.place is None:
            new.append((partition, balance.account, citizen_id, *key, balance.points))
        else:
            old.append((balance.place, balance.account, balance.points))
    old.sort()
    return new, old


def _contras(head: Head, book: Book) -> tuple[list[ContraRow], list[tuple[int, int]]]:
    """The new ones, and (account, points) of the others, by account: CHANGE looks for them in this order."""
    opened: list[ContraRow] = []
    there: list[tuple[int, int]] = []
    for contra, balance in book.changed_contras:
        if balance.account < head.next_account:
            there.append((balance.account, balance.points))
        else:
            opened.append((balance.account, contra.name, contra.party_id, balance.points))
    there.sort()
    return opened, there


async def _open_contras(tx: Writing, partition: int, new: Sequence[ContraRow]) -> None:
    if new:
        tag = await tx.execute(statements.OPEN_CONTRAS, partition, *zip(*new, strict=True))
        if int(tag.rpartition(" ")[2]) != len(new):
            raise StrayAccountError(f"partition {partition}: {tag}, not {len(new)}")


def _opened(head: Head, book: Book, lots: Sequence[LotRow], contras: Sequence[ContraRow]) -> Opened | None:
    """The accounts that the batch has opened, as the chain covers them."""
    if book.next_account == head.next_account:
        return None
    accounts = [
        AccountRow(account, None, citizen_id, pool, expires_on, origin)
        for _, account, citizen_id, pool, expires_on, origin, _ in lots
    ]
    accounts += [AccountRow(account, name) for account, name, *_ in contras]
    digest = accounts_hash(sorted(accounts, key=attrgetter("account")))
    return Opened(head.next_account, book.next_account, digest)


async def _lines(
    tx: Writing, partition: int, block: int, book: Book, remembered: Remembered
) -> list[tuple[int, int, int, int]]:
    """(line, transfers, points, transactions) of those remembered, by line, as CHANGE looks for them.

    The others are opened, or found and added to.
    """
    remembered.begin(book.today)
    there: list[tuple[int, int, int, int]] = []
    others: list[tuple[Any, ...]] = []
    for line in book.lines.values():
        sums = line.transfers, line.points, line.transactions
        number = remembered.lines.get((line.key, line.kind))
        if number is not None:
            there.append((number, *sums))
        else:
            others.append((*line.key, int(line.kind), *sums))
    if others:
        rows = await tx.fetch(statements.ROLL_UP, partition, book.today, block, *zip(*others, strict=True))
        # A line that was opened just now is gone again where this block is not committed.
        remembered.learn_lines(((RollupKey(*key), kind), line) for *key, kind, line, was_there in rows if was_there)
    there.sort()
    return there
