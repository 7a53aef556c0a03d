"""The one pure check: do the callers' history and the rows fit the invariants? Used by every layer.

The journal is replayed in commit order by the naive ledger, which knows the rules from the mission and shares no code
with the real one; the chain is followed by the audit's own pure function.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from schemas.checkouts import ExpireAuthorisation
from schemas.corrections import UseTogether
from schemas.grants import CreditCoupon
from schemas.points import PointsEvent, PostingAnswer, PostingCommand, PostingStatus
from schemas.problems import RefusalCode
from tests.reliability.history import History, Key
from tests.reliability.listener import HEARD, notice_id_of
from tests.reliability.snapshot import ContraRow, HoldRow, LotRow, Snapshot
from tests.workers.ledger.naive import Coupon, NaiveLedger, Result, Rule
from tests.workers.ledger.world import kind_name
from workers.ledger.audit import BlockRow, Chain
from workers.ledger.chain import AccountRow, OutcomeRow, TransferRow
from workers.ledger.operations import OPERATIONS
from workers.ledger.writer import LEDGER_ITSELF

RELEASE: Final = "release."
"""How the ledger itself names what it does with an order whose time is over; the rest is the hold's id."""
DRAIN_LIMIT_S: Final = 60.0

Row = TypeVar("Row", OutcomeRow, TransferRow)
Said: TypeAlias = tuple[str, UUID, str, str]
"""What tells one event from another: type, party, command, pool."""


class Violation(NamedTuple):
    """An invariant of facts/reliability that does not hold, and where."""

    invariant: str
    what: str


@dataclass(frozen=True, slots=True)
class World:
    """What the callers did not ask for: the rules, the coupons that there are, and who hears what."""

    rules: Sequence[Rule]
    coupons: Mapping[tuple[UUID, bytes], Coupon] = field(default_factory=dict)
    heard: frozenset[str] = HEARD
    """The events that the listener hears."""
    holding_period_days: int = 21


@dataclass(slots=True)
class _Case:
    """What is checked."""

    history: History
    snapshot: Snapshot
    world: World
    naive: NaiveLedger
    by_key: dict[Key, OutcomeRow] = field(init=False)
    commands: dict[tuple[Key, bytes], PostingCommand] = field(init=False)
    journal: dict[tuple[int, int], list[TransferRow]] = field(init=False)
    expected: dict[Said, tuple[int, int]] = field(default_factory=dict)
    """The events that the journal calls for, with their points and balance; in commit order within a partition."""
    coupons_posted: dict[tuple[UUID, bytes], list[OutcomeRow]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.by_key = {(row.party_id, row.command_id): row for row in self.snapshot.outcomes}
        self.commands = _commands(self.history)
        self.commands |= {((row.party_id, row.command_id), row.request_hash): _release(row) for row in self.own()}
        self.journal = defaultdict(list)
        for row in self.snapshot.transfers:
            self.journal[row.partition, row.block].append(row)
        for outcome in self.snapshot.outcomes:
            command = self.command_of(outcome)
            if outcome.code is None and isinstance(command, CreditCoupon):
                self.coupons_posted[command.party_id, command.code_hash].append(outcome)

    def own(self) -> list[OutcomeRow]:
        """What the ledger did by itself."""
        return [row for row in self.snapshot.outcomes if row.party_id == LEDGER_ITSELF]

    def command_of(self, row: OutcomeRow) -> PostingCommand | None:
        """What was asked, if anybody did."""
        return self.commands.get(((row.party_id, row.command_id), row.request_hash))


def _commands(history: History) -> dict[tuple[Key, bytes], PostingCommand]:
    """What was asked, by id and request hash. Callers that ask two things under one of these prove nothing."""
    commands: dict[tuple[Key, bytes], PostingCommand] = {}
    for one in history.asked:
        first = commands.setdefault((one.key, one.command.request_hash), one.command)
        assert first == one.command, f"the callers' own mistake: {first} and {one.command} have one hash"
    return commands


def _release(row: OutcomeRow) -> PostingCommand:
    """Nobody asks for it: it is right where the hold's time is over, which the naive ledger says."""
    hold_id = UUID(hex=row.command_id.removeprefix(RELEASE))
    return ExpireAuthorisation(
        party_id=row.party_id, command_id=f"{RELEASE}{hold_id.hex}", request_hash=hold_id.bytes,
        citizen_id=row.citizen_id, hold_id=hold_id,
    )  # fmt: skip


def check(history: History, snapshot: Snapshot, world: World) -> list[Violation]:
    """Every invariant that does not hold. An empty list is the proof of the run."""
    naive = NaiveLedger(world.rules, world.holding_period_days)
    naive.coupons = {key: replace(coupon) for key, coupon in world.coupons.items()}
    case = _Case(history, snapshot, world, naive)
    checks = (
        _double_entry, _balances, _one_outcome, _answers, _asked_for, _replay, _wallets, _holds, _coupons, _settlement,
        _events, _heard, _sent, _totals, _drained, _chain, _unclassified,
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
        if row.party_id == LEDGER_ITSELF:
            continue
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
        command = case.command_of(row)
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
        command = case.command_of(row)
        if command is None:
            continue
        moment = case.snapshot.moments[row.partition, row.block]
        yield from _left_over(case, command, row, moment)
        _know_coupon(case, command, row)
        expected = case.naive.do(command, row.posted_on, moment)
        if Result(row.code, row.points, json.loads(row.balances)) != expected:
            yield Violation("I6", f"{row.command_id}: {row.code or row.points} {row.balances}, rightly {expected}")
        if row.code is None:
            moved = sum(t.points for t in case.journal[row.partition, row.block] if t.outcome == row.number)
            rightly = sum(points for _, _, points in case.naive.slip)
            if moved != rightly:
                yield Violation("I6", f"{row.command_id}: its transfers move {moved}, rightly {rightly}")
            for said in expected.said:
                key = (f"jp.mykey.{said.what}.v1", *_saying(command, said.pool), said.pool)
                case.expected[key] = said.points, said.balance


def _left_over(case: _Case, command: PostingCommand, row: OutcomeRow, moment: datetime) -> Iterator[Violation]:
    """An order whose time is over is free before anything else happens to its citizen."""
    if row.party_id == LEDGER_ITSELF:
        return
    ended = {command.hold_id} if isinstance(command, ExpireAuthorisation) else set()
    for hold_id in set(case.naive.over(row.citizen_id, moment)) - ended:
        yield Violation("I6", f"{row.command_id}: order {hold_id} was over by {moment} and not free")


def _know_coupon(case: _Case, command: PostingCommand, row: OutcomeRow) -> None:
    """Of partitions beside one another nobody knows who came first: what another one has posted may be used up here."""
    if isinstance(command, CreditCoupon) and (key := (command.party_id, command.code_hash)) in case.naive.coupons:
        posted = case.coupons_posted.get(key, [])
        here = [(one.block, one.number) for one in posted if one.partition == row.partition]
        used_here = any(place < (row.block, row.number) for place in here)
        used_elsewhere = len(here) < len(posted) and row.code == RefusalCode.no_coupon
        case.naive.coupons[key].used = used_here or used_elsewhere


def _saying(command: PostingCommand, pool: str) -> Key:
    """In whose name, and under which id, an event of this command is said: that of the part that it is about."""
    parts = command.parts if isinstance(command, UseTogether) else ()
    one: PostingCommand = next((part for part in parts if part.pool == pool), command)
    return one.party_id, one.command_id


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


def _holds(case: _Case) -> Iterator[Violation]:
    """I2, I12: what is set aside stands as the naive ledger has it: ended once, and no more of it given back."""
    stored = {row.hold_id: row for row in case.snapshot.holds}
    for hold_id in stored.keys() | case.naive.aside.keys():
        row, aside = stored.get(hold_id), case.naive.aside.get(hold_id)
        rightly = aside and HoldRow(hold_id, aside.state, aside.points, aside.left, aside.taken, aside.refunded)
        if row != rightly:
            yield Violation("I12", f"hold {row}, rightly {rightly}")


def _coupons(case: _Case) -> Iterator[Violation]:
    """I12: a coupon is used once, by whom its row says."""
    used = {(row.party_id, row.code_hash): row.used_by for row in case.snapshot.coupons}
    for key in used.keys() | case.coupons_posted.keys():
        posted = [row.citizen_id for row in case.coupons_posted.get(key, [])]
        if posted != [used.get(key)]:
            yield Violation("I12", f"coupon {key} was used by {posted}, its row says {used.get(key)}")


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
        if (event.points, event.balance) != (points, balance):
            yield Violation("I10", f"{event} does not say {points} and {balance}")


def _tells(event: PointsEvent) -> Said:
    return event.TYPE, event.party_id, event.command_id, event.pool


def _heard(case: _Case) -> Iterator[Violation]:
    """I10: what was said was heard, its effect recorded once, for each citizen in the order it happened."""
    heard = Counter((row.type, row.party_id, row.command_id, row.pool) for row in case.snapshot.heard)
    for key in case.expected.keys() | heard.keys():
        rightly = int(key in case.expected and key[0] in case.world.heard)
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
    accounts = _account_rows(case.snapshot)
    seen: set[tuple[int, int]] = set()
    for partition, head in case.snapshot.heads.items():
        chain = Chain(partition)
        for block in (row for row in case.snapshot.blocks if row.partition == partition):
            place = partition, block.block
            seen.add(place)
            if not chain.follow(block, outcomes[place], case.journal[place], _opened_by(block, accounts)):
                break
        else:
            chain.end(head, _unseen(outcomes, partition, seen), _unseen(case.journal, partition, seen))
        if fault := chain.fault or chain.accounts_fault:
            yield Violation("I11", str(fault))


def _account_rows(snapshot: Snapshot) -> dict[tuple[int, int], AccountRow]:
    """By partition and number."""
    named = {(row.partition, row.account): AccountRow(row.account, row.name) for row in snapshot.contras}
    lots = {
        (row.partition, row.account): AccountRow(
            row.account, None, row.citizen_id, row.pool, row.expires_on, row.origin
        )
        for row in snapshot.lots
    }
    return named | lots


def _opened_by(block: BlockRow, accounts: Mapping[tuple[int, int], AccountRow]) -> list[AccountRow]:
    numbers = range(block.first_account or 0, block.until_account or 0)
    return [accounts[block.partition, number] for number in numbers if (block.partition, number) in accounts]


def _unseen(rows: Mapping[tuple[int, int], Sequence[Row]], partition: int, seen: set[tuple[int, int]]) -> list[Row]:
    return [row for place, some in rows.items() if place[0] == partition and place not in seen for row in some]
