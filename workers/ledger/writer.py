"""The writer: all commands that wait for a partition become one transaction, and one block of its chain."""

import json
from collections.abc import Sequence
from datetime import date
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
        fresh = [command for command in commands if (command.party_id, command.command_id) not in known]
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

    def __init__(
        self, partition: int, head: Head, book: Book, known: dict[tuple[UUID, str], Known], tx: Transaction
    ) -> None:
        self.written = Written()
        self._partition = partition
        self._block = head.block + 1
        self._book = book
        self._known = known
        self._tx = tx

    def post(self, number: int, command: PostingCommand) -> PostingAnswer:
        """Decide one command, keep what it changes, say what has happened."""
        if (command.party_id, command.command_id) in self._known:
            return _replay(command, self._known)
        operation = OPERATIONS[type(command)]
        decision: Decision = operation.decide(command, self._book)
        outcome = len(self.written.outcomes)
        self._transfer(command, operation, outcome, decision)
        balances = {pool: self._book.balance(command.citizen_id, pool) for pool in decision.pools}
        self._record(command, operation, outcome, decision, balances)
        for event in decision.events:
            self._tx.emit(event, about=number)
        return _answer(decision.code, decision.points, balances, self._book.today)

    def _transfer(self, command: PostingCommand, operation: Operation, outcome: int, decision: Decision) -> None:
        transfers = self.written.transfers
        at = (self._partition, self._block)
        for debit, credit, points in self._book.apply(command.citizen_id, operation.kind, decision.moves):
            row = TransferRow(*at, len(transfers), outcome, operation.kind, debit, credit, points, self._book.today)
            transfers.append(row)

    def _record(
        self,
        command: PostingCommand,
        operation: Operation,
        outcome: int,
        decision: Decision,
        balances: dict[str, int],
    ) -> None:
        row = OutcomeRow(
            command.party_id, command.command_id, command.request_hash, self._partition, self._block, outcome,
            command.citizen_id, operation.kind, decision.code, decision.points, json.dumps(balances), self._book.today,
        )  # fmt: skip
        self.written.outcomes.append(row)
        self._known[command.party_id, command.command_id] = Known(
            command.request_hash, decision.code, decision.points, balances, self._book.today
        )


def _replay(command: PostingCommand, known: dict[tuple[UUID, str], Known]) -> PostingAnswer:
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
