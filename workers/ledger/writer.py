"""The writer: all commands that wait for a partition become one transaction, and one block of its chain."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeAlias
from uuid import UUID

from hub.transaction import Transaction
from schemas.points import PostingAnswer, PostingCommand, PostingStatus
from schemas.problems import RefusalCode
from schemas.values import lane_of
from workers.ledger import store
from workers.ledger.accounts import PoolRule
from workers.ledger.book import Book, Decision
from workers.ledger.chain import OutcomeRow, TransferRow
from workers.ledger.operations import OPERATIONS, Operation
from workers.ledger.store import Head, Known, Written

Key: TypeAlias = tuple[UUID, str]
"""A command's idempotency key: its party, and the party's own id of it."""


class Writer:
    """Posts batches; remembers only the pools' rules, by the revision that the head's lock shows."""

    def __init__(self, holding_period_days: int) -> None:
        self._holding_period_days = holding_period_days
        self._pools: dict[str, PoolRule] = {}
        self._revision = -1

    async def post(self, commands: Sequence[PostingCommand], tx: Transaction) -> list[PostingAnswer]:
        """One outcome for each command, in order; commands of one batch belong to one partition.

        A command whose id has an outcome already gets that one again, or `id_conflict` where it asks another thing.
        """
        partition = lane_of(commands[0].citizen_id)
        head = await store.lock(tx, partition)
        known = await store.load_known(tx, commands)
        fresh = [c for c in commands if (c.party_id, c.command_id) not in known] if known else commands
        if not fresh:
            return [_replay(command, known) for command in commands]
        book = await self._book(tx, partition, head, fresh)
        batch = _Batch(partition, head, book, known, tx)
        answers = [batch.post(number, command) for number, command in enumerate(commands)]
        await store.write(tx, partition, head, book, batch.written)
        return answers

    async def _book(self, tx: Transaction, partition: int, head: Head, commands: Sequence[PostingCommand]) -> Book:
        if head.revision != self._revision:
            self._pools, self._revision = await store.load_pools(tx), head.revision
        book = Book(tx.business_date, self._holding_period_days, self._pools, head.next_account)
        await store.load_book(tx, partition, commands, book)
        return book


class _Batch:
    """One batch under way."""

    def __init__(self, partition: int, head: Head, book: Book, known: dict[Key, Known], tx: Transaction) -> None:
        self.written = Written()
        self._partition = partition
        self._block = head.block + 1
        self._book = book
        self._known = known
        self._done: dict[Key, int] = {}
        """Of this batch: the number of the outcome."""
        self._tx = tx

    def post(self, number: int, command: PostingCommand) -> PostingAnswer:
        """Decide one command, keep what it changes, say what has happened."""
        key = (command.party_id, command.command_id)
        if self._known and key in self._known:
            return _replay(command, self._known)
        outcome = len(self.written.outcomes)
        if (done := self._done.setdefault(key, outcome)) != outcome:
            return _replay(command, {key: _known(self.written.outcomes[done])})
        operation = OPERATIONS[type(command)]
        book = self._book
        decision: Decision = operation.decide(command, book)
        self._transfer(command, operation, outcome, decision)
        balances = {pool: book.balance(command.citizen_id, pool) for pool in decision.pools}
        row = OutcomeRow(
            command.party_id, command.command_id, command.request_hash, self._partition, self._block, outcome,
            command.citizen_id, operation.kind, decision.code, decision.points, _text_of(balances), book.today,
        )  # fmt: skip
        self.written.outcomes.append(row)
        for event in decision.events:
            self._tx.emit(event, about=number)
        return _answer(decision.code, decision.points, balances, book.today)

    def _transfer(self, command: PostingCommand, operation: Operation, outcome: int, decision: Decision) -> None:
        transfers, partition, block = self.written.transfers, self._partition, self._block
        book, kind = self._book, operation.kind
        for debit, credit, points in book.apply(command.citizen_id, kind, decision.moves):
            line = len(transfers)
            transfers.append(TransferRow(partition, block, line, outcome, kind, debit, credit, points, book.today))


def _text_of(balances: dict[str, int]) -> str:
    """JSON; a pool's name has no character in it that would have to be escaped."""
    return "{" + ", ".join([f'"{pool}": {points}' for pool, points in balances.items()]) + "}"


def _known(row: OutcomeRow) -> Known:
    return Known(row.request_hash, row.code, row.points, json.loads(row.balances), row.posted_on)


def _replay(command: PostingCommand, known: Mapping[Key, Known]) -> PostingAnswer:
    outcome = known[command.party_id, command.command_id]
    if outcome.request_hash != command.request_hash:
        return PostingAnswer(status=PostingStatus.refused, code=RefusalCode.id_conflict, posted_on=outcome.posted_on)
    return _answer(outcome.code, outcome.points, outcome.balances, outcome.posted_on, replayed=True)


def _answer(
    code: str | None, points: int, balances: dict[str, int], posted_on: date, *, replayed: bool = False
) -> PostingAnswer:
    status = PostingStatus.refused if code else PostingStatus.posted
    return PostingAnswer(
        status=status, code=code, points=points, balances=balances, posted_on=posted_on, replayed=replayed
    )
