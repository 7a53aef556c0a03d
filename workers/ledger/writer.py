"""The writer: all commands that wait for a partition become one transaction, and one block of its chain."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple
from uuid import uuid5

from hub.database import ALREADY_THERE, Database
from hub.transaction import Transaction, Writing
from schemas.checkouts import ExpireAuthorisation
from schemas.holds import HoldView
from schemas.points import NAMESPACE, HoldCommand, PostingAnswer, PostingCommand, PostingStatus
from schemas.problems import RefusalCode
from schemas.values import LANES, lane_of
from workers.ledger import store
from workers.ledger.accounts import PoolRule
from workers.ledger.book import Book, Decision, Terms, refused
from workers.ledger.chain import OutcomeRow, TransferRow
from workers.ledger.holds import Hold, Original
from workers.ledger.operations import ALLOWED_ONCE_REVOKED, OPERATIONS, REVERSIBLE, SETS_ASIDE, Operation
from workers.ledger.remembered import Remembered
from workers.ledger.shared import Shared
from workers.ledger.spread import Spread
from workers.ledger.store import Head, Key, Known, Written

LEDGER_ITSELF: Final = uuid5(NAMESPACE, "ledger")
"""The party of what the ledger does by itself."""
NOT_SHOWN: Final = frozenset({RefusalCode.no_voucher, RefusalCode.no_hold})
"""Who is told that there is no such hold is not shown it: a wrong check code tells nothing."""


class _Pools(NamedTuple):
    """The rules of a database's pools, and their revision."""

    revision: int
    rules: dict[str, PoolRule]


class Writer:
    """Posts batches; remembers numbers, which never change, and the pools' rules by the revision that it is shown."""

    def __init__(self, terms: Terms, spread: Spread) -> None:
        self._terms = terms
        self._spread = spread
        self._shared = Shared(spread)
        self._pools: dict[Database, _Pools] = {}
        self._remembered = [Remembered() for _ in range(LANES)]

    async def post(self, commands: Sequence[PostingCommand], tx: Transaction) -> list[PostingAnswer]:
        """One outcome for each command, in order; commands of one batch belong to one partition.

        A command whose id has an outcome already gets that one again, or `id_conflict` where it asks another thing.
        """
        partition = lane_of(commands[0].citizen_id)
        remembered = self._remembered[partition]
        here = await self._spread.at(tx, partition)
        head = await store.lock(here, partition, remembered)
        if tx.business_date <= head.closed_to:
            raise store.DayClosedError(f"{tx.business_date} in partition {partition}")
        known = await store.load_known(here, commands) if remembered.looks_up() else {}
        known |= await self._shared.claim(tx, partition, commands)
        needing = commands
        if known:
            remembered.met_one()
            needing = [command for command in commands if _needs_book(command, known)]
        book = await self._book(tx, here, head, needing)
        batch = _Batch(partition, head, book, known, tx)
        answers = [batch.answer(number, command) for number, command in enumerate(commands)]
        if batch.written.outcomes:
            try:
                await store.write(here, head, book, batch.written, remembered)
                await self._shared.use_up(tx, here, partition, book)
            except ALREADY_THERE:
                remembered.met_one()
                raise
        return answers

    async def _book(self, tx: Transaction, here: Writing, head: Head, commands: Sequence[PostingCommand]) -> Book:
        database = self._spread.of(head.partition)
        pools = self._pools.get(database)
        if pools is None or head.revision != pools.revision:
            pools = self._pools[database] = _Pools(head.revision, await store.load_pools(here))
        book = Book(tx.business_date, tx.now, self._terms, pools.rules, head.next_account)
        if commands:
            await self._shared.load(tx, here, head.partition, commands, book)
            await store.load_book(here, head.partition, commands, book, self._remembered[head.partition])
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

    def answer(self, number: int, command: PostingCommand) -> PostingAnswer:
        """The command's one outcome, decided now or known from before."""
        key = (command.party_id, command.command_id)
        if self._known and key in self._known:
            return self._replay(command, self._known[key])
        if (done := self._done.get(key)) is not None:
            return self._replay(command, _known(self.written.outcomes[done]))
        if self._book.holds:
            for hold in self._book.over_holds(command.citizen_id):
                if not (isinstance(command, ExpireAuthorisation) and command.hold_id == hold.hold_id):
                    self._post(number, _release(hold))
        return self._post(number, command)

    def _post(self, number: int, command: PostingCommand) -> PostingAnswer:
        """Decide one command, keep what it changes, say what has happened."""
        book, outcomes, operation = self._book, self.written.outcomes, OPERATIONS[type(command)]
        decision = self._decide(command, operation)
        outcome = len(outcomes)
        self._done[command.party_id, command.command_id] = outcome
        if decision.moves:
            self._transfer(command, operation, outcome, decision)
        book.keep(decision, command.citizen_id, outcome)
        if book.wanted:
            self._keep_original(command, operation.kind, decision)
        balances: dict[str, int] = {}
        for pool in decision.pools:
            balances[pool] = book.balance(command.citizen_id, pool)
        row = OutcomeRow(
            command.party_id, command.command_id, command.request_hash, self._partition, self._block, outcome,
            command.citizen_id, operation.kind, decision.code, decision.points, _text_of(balances), book.today,
            command.hold_id if operation.is_about_hold and isinstance(command, HoldCommand) else None,
            _terms(decision, operation.kind) if decision.hold or decision.uses_coupon else None,
        )  # fmt: skip
        outcomes.append(row)
        for event in decision.events:
            self._tx.emit(event, about=number)
        return self._answered(command, decision.code, decision.points, balances, book.today)

    def _decide(self, command: PostingCommand, operation: Operation) -> Decision:
        revoked = self._book.revoked
        if revoked and command.citizen_id in revoked and type(command) not in ALLOWED_ONCE_REVOKED:
            return refused(RefusalCode.citizen_revoked)
        decision: Decision = operation.decide(command, self._book)
        return decision

    def _keep_original(self, command: PostingCommand, kind: int, decision: Decision) -> None:
        """A correction in this very batch may be about it."""
        key = (command.party_id, command.command_id)
        if decision.moves and key in self._book.wanted:
            self._book.originals[key] = Original(
                command.citizen_id, decision.points, decision.moves, kind in REVERSIBLE, corrected=False
            )

    def _transfer(self, command: PostingCommand, operation: Operation, outcome: int, decision: Decision) -> None:
        transfers, partition, block = self.written.transfers, self._partition, self._block
        book, kind = self._book, operation.kind
        for debit, credit, points in book.apply(command.citizen_id, kind, decision.moves):
            line = len(transfers)
            transfers.append(TransferRow(partition, block, line, outcome, kind, debit, credit, points, book.today))

    def _replay(self, command: PostingCommand, known: Known) -> PostingAnswer:
        if known.request_hash != command.request_hash:
            return PostingAnswer(status=PostingStatus.refused, code=RefusalCode.id_conflict, posted_on=known.posted_on)
        return self._answered(command, known.code, known.points, known.balances, known.posted_on, replayed=True)

    def _answered(
        self,
        command: PostingCommand,
        code: str | None,
        points: int,
        balances: dict[str, int],
        posted_on: date,
        *,
        replayed: bool = False,
    ) -> PostingAnswer:
        return PostingAnswer.trusted(
            status=PostingStatus.refused if code else PostingStatus.posted,
            code=code,
            points=points,
            balances=balances,
            posted_on=posted_on,
            replayed=replayed,
            hold=self._shown(command, code) if OPERATIONS[type(command)].is_about_hold else None,
        )

    def _shown(self, command: PostingCommand, code: str | None) -> HoldView | None:
        hold = self._book.holds.get(command.hold_id) if isinstance(command, HoldCommand) else None
        is_shown = hold is not None and hold.citizen_id == command.citizen_id and code not in NOT_SHOWN
        return hold.view() if hold is not None and is_shown else None


def _terms(decision: Decision, kind: int) -> bytes | None:
    """What the chain keeps of a hold that was made, or of a coupon that was used up."""
    if decision.uses_coupon is not None:
        return decision.uses_coupon[1]
    return decision.hold.terms() if decision.hold and kind in SETS_ASIDE else None


def _needs_book(command: PostingCommand, known: Mapping[Key, Known]) -> bool:
    """Whether the command is new, or about a hold, which its answer shows again."""
    return isinstance(command, HoldCommand) or (command.party_id, command.command_id) not in known


def _release(hold: Hold) -> ExpireAuthorisation:
    """What the ledger does by itself with a hold whose time is over, before anything else of its citizen."""
    return ExpireAuthorisation(
        party_id=LEDGER_ITSELF,
        command_id=f"release.{hold.hold_id.hex}",
        request_hash=hold.hold_id.bytes,
        citizen_id=hold.citizen_id,
        hold_id=hold.hold_id,
    )


def _text_of(balances: dict[str, int]) -> str:
    """JSON; a pool's name has no character in it that would have to be escaped."""
    return "{" + ", ".join([f'"{pool}": {points}' for pool, points in balances.items()]) + "}"


def _known(row: OutcomeRow) -> Known:
    return Known(row.request_hash, row.code, row.points, json.loads(row.balances), row.posted_on)
