"""The one pure check: do the callers' history and the rows fit the invariants? Used by every layer.

The journal is replayed in commit order by the naive ledger, which knows the rules from the mission and shares no code
with the real one; the chain is followed by the audit's own pure function.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from schemas.points import PointsEvent, PostingAnswer, PostingCommand, PostingStatus
from tests.reliability.history import History, Key
from tests.reliability.listener import notice_id_of
from tests.reliability.snapshot import ContraRow, LotRow, Snapshot
from tests.workers.ledger.naive import NaiveLedger, Result, Rule
from tests.workers.ledger.world import kind_name
from workers.ledger.accounts import Kind
from workers.ledger.audit import Chain
from workers.ledger.chain import OutcomeRow, TransferRow
from workers.ledger.operations import OPERATIONS

EVENTS: Final = {
    Kind.credit: "jp.mykey.points.credited.v1",
    Kind.move: "jp.mykey.points.moved.v1",
    Kind.sweep: "jp.mykey.points.moved.v1",
    Kind.use: "jp.mykey.points.used.v1",
    Kind.expire: "jp.mykey.points.expired.v1",
}
HEARD: Final = frozenset(EVENTS.values()) - {EVENTS[Kind.use]}
"""The listener hears what mail hears."""
DRAIN_LIMIT_S: Final = 60.0

Row = TypeVar("Row", OutcomeRow, TransferRow)
Said: TypeAlias = tuple[str, UUID, str, str]
"""What tells one event from another: type, party, command, pool."""


class Violation(NamedTuple):
    """An invariant of facts/reliability that does not hold, and where."""

    invariant: str
    what: str


@dataclass(slots=True)
class _Case:
    """What is checked."""

    history: History
    snapshot: Snapshot
    naive: NaiveLedger
    by_key: dict[Key, OutcomeRow] = field(init=False)
    commands: dict[tuple[Key, bytes], PostingCommand] = field(init=False)
    journal: dict[tuple[int, int], list[TransferRow]] = field(init=False)
    expected: dict[Said, tuple[int, int]] = field(default_factory=dict)
    """The events that the journal calls for, with their points and balance; in commit order within a partition."""

    def __post_init__(self) -> None:
        self.by_key = {(row.party_id, row.command_id): row for row in self.snapshot.outcomes}
        self.commands = {(one.key, one.command.request_hash): one.command for one in self.history.asked}
        self.journal = defaultdict(list)
        for row in self.snapshot.transfers:
            self.journal[row.partition, row.block].append(row)


def check(
    history: History, snapshot: Snapshot, rules: Iterable[Rule], holding_period_days: int = 21
) -> list[Violation]:
    """Every invariant that does not hold. An empty list is the proof of the run."""
    case = _Case(history, snapshot, NaiveLedger(rules, holding_period_days))
    checks = (
        _double_entry, _balances, _one_outcome, _answers, _asked_for, _replay, _wallets, _settlement, _events, _heard,
        _sent, _totals, _drained, _chain, _unclassified,
    )  # fmt: skip
    return [violation for each in checks for violation in each(case)]


def _double_entry(case: _Case) -> Iterator[Violation]:
    """I1: every transfer takes from one account what it gives to another, so that all balances sum to zero."""
    for row in case.snapshot.transfers:
        if row.debit == row.credit or row.points <= 0:
            yield Violation("I1", f"transfer {row}")
    total = sum(row.balance for row in _accounts(case))
    if total:
        yield Violation("I1", f"all balances sum to {total}")


def _accounts(case: _Case) -> list[LotRow | ContraRow]:
    return [*case.snapshot.lots, *case.snapshot.contras]


def _balances(case: _Case) -> Iterator[Violation]:
    """I2: a stored balance is what its transfers add up to; no lot is below zero."""
    moved: Counter[tuple[int, int]] = Counter()
    for row in case.snapshot.transfers:
        moved[row.partition, row.debit] -= row.points
        moved[row.partition, row.credit] += row.points
    stored: Counter[tuple[int, int]] = Counter()
    for account in _accounts(case):
        place = account.partition, account.account
        if place in stored:
            yield Violation("I2", f"account {place} is there twice")
        stored[place] = account.balance
    for place in moved.keys() | stored.keys():
        if moved[place] != stored[place]:
            yield Violation("I2", f"account {place} holds {stored[place]}, its transfers say {moved[place]}")
    yield from (Violation("I2", f"below zero: {lot}") for lot in case.snapshot.lots if lot.balance < 0)


def _one_outcome(case: _Case) -> Iterator[Violation]:
    """I3, I4: what was answered has its one outcome, under its id; the final reads say the same as the rows."""
    if len(case.by_key) != len(case.snapshot.outcomes):
        yield Violation("I4", "an id has two outcomes")
    for key, row in case.by_key.items():
        final = case.history.final.get(key)
        if final is None or _said_by(row) != _said_in(final):
            yield Violation("I3", f"{key}: the final read says {final}, the row {row}")
    for key in case.history.final.keys() - case.by_key.keys():
        yield Violation("I3", f"{key}: the final read knows what the rows do not")


def _answers(case: _Case) -> Iterator[Violation]:
    """I3, I4: every answer that came back is the outcome; another request under an id was a conflict."""
    firsts: Counter[Key] = Counter()
    for one in case.history.asked:
        if one.answer is None:
            continue
        row = case.by_key.get(one.key)
        if row is None:
            yield Violation("I3", f"{one.key} was answered {one.answer.code or 'posted'} and has no outcome")
        elif row.request_hash != one.command.request_hash:
            if one.answer.code != "id_conflict":
                yield Violation("I4", f"{one.key}: another request was answered {one.answer.code or 'posted'}")
        elif _said_by(row) != _said_in(one.answer):
            yield Violation("I3", f"{one.key} was answered {one.answer}, its outcome is {row}")
        else:
            firsts[one.key] += not one.answer.replayed
    for key, count in firsts.items():
        if count > 1:
            yield Violation("I4", f"{key} was done {count} times")


def _said_by(row: OutcomeRow) -> tuple[object, ...]:
    return row.code, row.points, json.loads(row.balances), row.posted_on


def _said_in(answer: PostingAnswer) -> tuple[object, ...]:
    assert (answer.status is PostingStatus.refused) == (answer.code is not None)
    return answer.code, answer.points, answer.balances, answer.posted_on


def _asked_for(case: _Case) -> Iterator[Violation]:
    """I5: nothing is in the books that nobody asked for, and each transfer belongs to a posted outcome."""
    outcomes = {(row.partition, row.block, row.number): row for row in case.snapshot.outcomes}
    for key, row in case.by_key.items():
        command = case.commands.get((key, row.request_hash))
        if command is None:
            yield Violation("I5", f"nobody asked for {key}")
        elif (command.citizen_id, OPERATIONS[type(command)].kind) != (row.citizen_id, row.kind):
            yield Violation("I5", f"{key} was asked for another citizen or operation")
    for transfer in case.snapshot.transfers:
        outcome = outcomes.get((transfer.partition, transfer.block, transfer.outcome))
        if outcome is None or outcome.code is not None:
            yield Violation("I5", f"transfer {transfer} belongs to no posted outcome")


def _replay(case: _Case) -> Iterator[Violation]:
    """I6: replayed in commit order, the naive ledger decides every command the same way."""
    for row in sorted(case.snapshot.outcomes, key=lambda o: (o.partition, o.block, o.number)):
        command = case.commands.get(((row.party_id, row.command_id), row.request_hash))
        if command is None:
            continue
        expected = case.naive.do(command, row.posted_on)
        if Result(row.code, row.points, json.loads(row.balances)) != expected:
            yield Violation("I6", f"{row.command_id}: {row.code or row.points} {row.balances}, rightly {expected}")
        if row.code is None:
            moved = sum(t.points for t in case.journal[row.partition, row.block] if t.outcome == row.number)
            if moved != row.points:
                yield Violation("I6", f"{row.command_id}: {row.points} points, its transfers move {moved}")
            case.expected.update(_called_for(row, command))


def _called_for(row: OutcomeRow, command: PostingCommand) -> dict[Said, tuple[int, int]]:
    """The events of a posted outcome: one, or for an expiry one a pool (whose points the balances do not tell)."""
    kind, balances = Kind(row.kind), json.loads(row.balances)
    pools = list(balances) if kind is Kind.expire else [str(command.model_dump()["pool"])]
    points = row.points if len(pools) == 1 else 0
    return {(EVENTS[kind], row.party_id, row.command_id, pool): (points, balances[pool]) for pool in pools}


def _wallets(case: _Case) -> Iterator[Violation]:
    """I6: in the end everybody holds what the naive ledger says, lot by lot, and nobody two lots of one kind."""
    stored: dict[UUID, Counter[tuple[str, object, UUID]]] = defaultdict(Counter)
    kinds: Counter[tuple[object, ...]] = Counter()
    for lot in case.snapshot.lots:
        kinds[lot[2:6]] += 1
        if lot.balance:
            stored[lot.citizen_id][lot.pool, lot.expires_on, lot.origin] += lot.balance
    yield from (Violation("I6", f"lots of one kind: {kind}") for kind, count in kinds.items() if count > 1)
    for citizen_id in {packet.citizen_id for packet in case.naive.packets} | stored.keys():
        rightly = case.naive.lots(citizen_id)
        if stored[citizen_id] != rightly:
            yield Violation("I6", f"{citizen_id} holds {dict(stored[citizen_id])}, rightly {dict(rightly)}")
    contras: Counter[str] = Counter()
    for contra in case.snapshot.contras:
        contras[contra.name] += contra.balance
    rightly_by_name = {other.name: points for other, points in case.naive.others.items() if points}
    if {name: balance for name, balance in contras.items() if balance} != rightly_by_name:
        yield Violation("I6", f"contra accounts: {dict(contras)}, rightly {rightly_by_name}")


def _settlement(case: _Case) -> Iterator[Violation]:
    """I2: the rollups are the sums of what was posted."""
    stored: Counter[tuple[str, UUID, str, str]] = Counter()
    transfers: Counter[int] = Counter()
    for row in case.snapshot.rollups:
        stored[row.lg_code, row.counterparty_id, row.pool, kind_name(row.kind)] += row.points
        transfers[row.partition] += row.transfers
    if stored != case.naive.settled:
        yield Violation("I2", f"rollups: {dict(stored)}, rightly {dict(case.naive.settled)}")
    journal = Counter(row.partition for row in case.snapshot.transfers)
    if transfers != journal:
        yield Violation("I2", f"rollups count {dict(transfers)} transfers, there are {dict(journal)}")


def _events(case: _Case) -> Iterator[Violation]:
    """I10: what was posted was said, once, with the points and the balance of that very moment."""
    said = Counter(_tells(event) for event in case.snapshot.said)
    for key in case.expected.keys() | said.keys():
        if said[key] != (key in case.expected):
            yield Violation("I10", f"said {said[key]} times: {key}")
    for event in case.snapshot.said:
        points, balance = case.expected.get(_tells(event), (event.points, event.balance))
        if event.balance != balance or points not in {0, event.points}:
            yield Violation("I10", f"{event} does not say {points} and {balance}")


def _tells(event: PointsEvent) -> Said:
    return event.TYPE, event.party_id, event.command_id, event.pool


def _heard(case: _Case) -> Iterator[Violation]:
    """I10: what was said was heard, its effect recorded once, for each citizen in the order it happened."""
    heard = Counter((row.type, row.party_id, row.command_id, row.pool) for row in case.snapshot.heard)
    for key in case.expected.keys() | heard.keys():
        rightly = int(key in case.expected and key[0] in HEARD)
        if heard[key] != rightly:
            yield Violation("I10", f"heard {heard[key]} times, rightly {rightly}: {key}")
    by_citizen: dict[UUID, list[tuple[int, int]]] = defaultdict(list)
    for row in case.snapshot.heard:
        outcome = case.by_key.get((row.party_id, row.command_id))
        if outcome is not None:
            by_citizen[row.citizen_id].append((outcome.block, outcome.number))
    for citizen_id, places in by_citizen.items():
        if places != sorted(places):
            yield Violation("I10", f"{citizen_id} heard out of order: {places}")


def _sent(case: _Case) -> Iterator[Violation]:
    """I8: every notice left at least once, under its own id; without a fault just once; and no other left."""
    sent = Counter(case.snapshot.sent)
    rightly = {notice_id_of(row.type, row.party_id, row.command_id, row.pool) for row in case.snapshot.heard}
    for notice_id in rightly | sent.keys():
        count = sent[notice_id]
        if (notice_id in rightly) != (count > 0) or (count > 1 and not case.history.faults):
            yield Violation("I8", f"notice {notice_id} sent {count} times")


def _totals(case: _Case) -> Iterator[Violation]:
    """I9: at every moment somebody looked, all accounts summed to zero."""
    yield from (
        Violation("I9", f"a snapshot during the run summed to {total}") for total in case.history.totals if total
    )


def _unclassified(case: _Case) -> Iterator[Violation]:
    """A command that is well formed is answered, or may be asked again; nothing else comes out."""
    yield from (Violation("E", error) for error in case.history.unclassified)


def _drained(case: _Case) -> Iterator[Violation]:
    """I10, L1: after the drain nothing is waiting, nothing is parked, and it did not take long."""
    yield from (Violation("I10", f"left behind: {row}") for row in case.snapshot.deliveries)
    if case.history.heal_to_drained_s > DRAIN_LIMIT_S:
        yield Violation("L1", f"drained {case.history.heal_to_drained_s:.0f} s after everything was healed")


def _chain(case: _Case) -> Iterator[Violation]:
    """I11: the chain verifies from its first block to the head."""
    outcomes: Mapping[tuple[int, int], list[OutcomeRow]] = defaultdict(list)
    for row in case.snapshot.outcomes:
        outcomes[row.partition, row.block].append(row)
    seen: set[tuple[int, int]] = set()
    for partition, head in case.snapshot.heads.items():
        chain = Chain(partition)
        for block in (row for row in case.snapshot.blocks if row.partition == partition):
            place = partition, block.block
            seen.add(place)
            if not chain.follow(block, outcomes[place], case.journal[place]):
                break
        else:
            chain.end(head, _unseen(outcomes, partition, seen), _unseen(case.journal, partition, seen))
        if chain.fault is not None:
            yield Violation("I11", str(chain.fault))


def _unseen(rows: Mapping[tuple[int, int], Sequence[Row]], partition: int, seen: set[tuple[int, int]]) -> list[Row]:
    return [row for place, some in rows.items() if place[0] == partition and place not in seen for row in some]
