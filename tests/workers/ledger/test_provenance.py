"""Where spent points came from: first in, first out, through every move, against single points on paper."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import AdjustableClock
from hub.process import HubProcess
from schemas import checkouts, corrections, grants, merges, points, vouchers
from schemas.history import Origin, Provenance, ProvenanceOf
from schemas.points import PostingCommand
from tests.workers.ledger.lives import Lives
from tests.workers.ledger.naive import Rule
from tests.workers.ledger.world import (
    AIRLINE,
    CARD,
    CITY_OFFICE,
    FOREVER,
    RULES,
    START,
    STORE,
    TODAY,
    ask,
    ask_all,
    citizen,
    credit,
    move,
    use,
)
from tests.workers.ledger.world_holds import (
    SHOP,
    authorise,
    capture,
    correct,
    grant,
    issue,
    redeem,
    refund,
    send,
    send_back,
)
from workers.ledger.provenance import JournalBrokenError, Parcel, Queue, Source

ME, NEIGHBOUR = citizen(1), citizen(2)
NOBODY = UUID(int=0)
Point = tuple[UUID, str]
"""A single point: the party and the command by which it came in."""


class Lot(NamedTuple):
    """A citizen's lot."""

    citizen_id: UUID
    pool: str
    last_day: date
    origin: UUID


@dataclass
class Paper:
    """Every single point by itself. What a command moved is remembered for its correction."""

    rules: dict[str, Rule]
    lots: dict[Lot, list[Point]] = field(default_factory=lambda: defaultdict(list))
    held: dict[UUID, list[tuple[Lot, list[Point]]]] = field(default_factory=dict)
    captured: dict[UUID, list[tuple[Lot, list[Point]]]] = field(default_factory=dict)
    moved: dict[tuple[UUID, str], list[tuple[Lot | None, Lot | None, list[Point]]]] = field(default_factory=dict)

    def post(self, command: PostingCommand, today: date) -> list[Point]:
        """Do it, and tell which points it was about."""
        match command:
            case points.CreditPoints() | grants.GrantPoints():
                return self._come(command, today)
            case points.MovePoints() | points.SweepReserve():
                return self._move(command, today)
            case points.UsePoints() | corrections.UseTogether():
                return self._spend(command, today)
            case points.ExpirePoints():
                due = self._due(command.citizen_id, today, reserve=False)
                return [point for lot in due for point in self._pop(lot, len(self.lots[lot]))]
            case corrections.CorrectPosting():
                return self._correct(command)
        return self._hold(command, today)

    def _hold(self, command: PostingCommand, today: date) -> list[Point]:
        match command:
            case vouchers.IssueVoucher() | checkouts.AuthorisePoints() | merges.SendMerge():
                taken = self._take(command.citizen_id, command.pool, command.points, today)
                self.held[command.hold_id] = taken
                return _all(taken)
            case vouchers.RedeemVoucher() | merges.AcknowledgeMerge():
                return _all(self.held.pop(command.hold_id))
            case checkouts.CapturePoints():
                taken, rest = _split(self.held.pop(command.hold_id), command.points)
                self.captured[command.hold_id] = taken
                self._give_back(rest)
                return _all(taken)
            case checkouts.VoidAuthorisation() | checkouts.ExpireAuthorisation():
                return self._give_back(self.held.pop(command.hold_id))
            case merges.ReturnMerge():
                return self._give_back(self.held.pop(command.hold_id), today + timedelta(days=29))
            case checkouts.RefundCapture():
                taken = self.captured[command.hold_id]
                kept, given = _split(taken, len(_all(taken)) - command.points)
                self.captured[command.hold_id] = kept
                return self._give_back(given, today + timedelta(days=29))
        raise AssertionError(type(command))

    def _target(self, who: UUID, pool: str, today: date) -> Lot:
        return Lot(who, pool, self.rules[pool].last_day(today), NOBODY)

    def _due(self, who: UUID, today: date, *, reserve: bool) -> list[Lot]:
        mine = [lot for lot in self.lots if lot.citizen_id == who and (lot.pool == "reserve") == reserve]
        return sorted((lot for lot in mine if lot.last_day < today), key=_order)

    def _come(self, command: points.CreditPoints | grants.GrantPoints, today: date) -> list[Point]:
        if command.pool == "reserve":
            lot = Lot(command.citizen_id, "reserve", today + timedelta(days=20), command.party_id)
        else:
            lot = self._target(command.citizen_id, command.pool, today)
        new = [(command.party_id, command.command_id)] * command.points
        self.lots[lot] += new
        self.moved[command.party_id, command.command_id] = [(None, lot, new)]
        return new

    def _move(self, command: points.MovePoints | points.SweepReserve, today: date) -> list[Point]:
        who = command.citizen_id
        if isinstance(command, points.MovePoints):
            taken = self._take(who, "reserve", command.points, today)
        else:
            taken = [(lot, self._pop(lot, len(self.lots[lot]))) for lot in self._due(who, today, reserve=True)]
        target = self._target(who, command.pool, today)
        for _, part in taken:
            self.lots[target] += part
        self.moved[command.party_id, command.command_id] = [(lot, target, part) for lot, part in taken]
        return _all(taken)

    def _spend(self, command: points.UsePoints | corrections.UseTogether, today: date) -> list[Point]:
        uses = command.parts if isinstance(command, corrections.UseTogether) else (command,)
        taken = [part for use in uses for part in self._take(use.citizen_id, use.pool, use.points, today)]
        self.moved[command.party_id, command.command_id] = [(lot, None, part) for lot, part in taken]
        return _all(taken)

    def _correct(self, command: corrections.CorrectPosting) -> list[Point]:
        gone: list[Point] = []
        for source, target, part in reversed(self.moved[command.original_party_id, command.original_command_id]):
            back = part if target is None else self._pick(target, part)
            gone += back
            if source is not None:
                self.lots[source] += back
        return gone

    def _pick(self, lot: Lot, wanted: list[Point]) -> list[Point]:
        missing = Counter(wanted)
        picked: list[Point] = []
        rest: list[Point] = []
        for point in self.lots[lot]:
            side = picked if missing[point] else rest
            missing[point] -= side is picked
            side.append(point)
        self.lots[lot] = rest
        return picked + self._pop(lot, missing.total())

    def _take(self, who: UUID, pool: str, amount: int, today: date) -> list[tuple[Lot, list[Point]]]:
        mine = [lot for lot in self.lots if lot[:2] == (who, pool) and (pool == "reserve" or lot.last_day >= today)]
        taken: list[tuple[Lot, list[Point]]] = []
        for lot in sorted(mine, key=_order):
            part = self._pop(lot, min(amount, len(self.lots[lot])))
            amount -= len(part)
            taken += [(lot, part)] if part else []
        assert amount == 0
        return taken

    def _pop(self, lot: Lot, amount: int) -> list[Point]:
        part, self.lots[lot] = self.lots[lot][:amount], self.lots[lot][amount:]
        return part

    def _give_back(self, taken: list[tuple[Lot, list[Point]]], least: date = date.min) -> list[Point]:
        for lot, part in taken:
            self.lots[lot._replace(last_day=max(lot.last_day, least))] += part
        return _all(taken)


def _order(lot: Lot) -> tuple[date, str, int]:
    return lot.last_day, lot.pool, lot.origin.int


def _all(taken: list[tuple[Lot, list[Point]]]) -> list[Point]:
    return [point for _, part in taken for point in part]


def _split(
    taken: list[tuple[Lot, list[Point]]], amount: int | None
) -> tuple[list[tuple[Lot, list[Point]]], list[tuple[Lot, list[Point]]]]:
    """The first `amount` points, and the rest."""
    left = len(_all(taken)) if amount is None else amount
    first, rest = [], []
    for lot, part in taken:
        first.append((lot, part[:left]))
        rest.append((lot, part[left:]))
        left = max(0, left - len(part))
    return first, rest


def told(provenance: Provenance) -> dict[Point, int]:
    return {(origin.party_id, origin.command_id): origin.points for origin in provenance.origins}


@pytest.mark.parametrize("seed", range(4))
async def test_origins_are_those_of_single_points_on_paper(
    ledger: HubProcess, clock: AdjustableClock, seed: int
) -> None:
    lives = Lives(ledger, clock, [ME, NEIGHBOUR], seed)
    paper = Paper({rule.pool: rule for rule in RULES})
    expected: list[tuple[PostingCommand, list[Point]]] = []
    for day in range(9):
        await lives.next_day(1 + day)
        for _ in range(3):
            await lives.live(10)
        for command, _ in lives.posted[len(expected) :]:
            expected.append((command, paper.post(command, clock.business_date())))
    assert len(expected) > 120
    for command, origins in expected:
        found = await ask(ledger, ProvenanceOf(party_id=command.party_id, command_id=command.command_id))
        assert found.points == sum(origin.points for origin in found.origins) == len(origins), command
        assert told(found) == Counter(origins), command
        assert list(told(found)) == list(dict.fromkeys(origins)), command


async def test_a_voucher_remembers_the_partners_behind_a_move(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("a", ME, 10), credit("c", ME, 10, party_id=CARD), move("m", ME, 15), grant("g", ME, 5),
        use("u", ME, 3), issue("v", ME, 15), redeem("r", ME, "v"),
    )  # fmt: skip
    for party_id, command_id in ((CITY_OFFICE, "v"), (STORE, "r")):
        found = await ask(ledger, ProvenanceOf(party_id=party_id, command_id=command_id))
        assert found.origins == [
            Origin(kind="credit", party_id=AIRLINE, command_id="a", posted_on=TODAY, points=7),
            Origin(kind="credit", party_id=CARD, command_id="c", posted_on=TODAY, points=5),
            Origin(kind="grant", party_id=CITY_OFFICE, command_id="g", posted_on=TODAY, points=3),
        ]
        assert found.points == 15


async def test_a_capture_takes_the_first_and_a_refund_brings_the_last_of_them_back(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("1", ME, 10, FOREVER), credit("2", ME, 10, FOREVER), authorise("o", ME, 18),
        capture("p", ME, "o", 14), refund("b", ME, "o", 6), use("u", ME, 12),
    )  # fmt: skip

    async def origins(party_id: UUID, command_id: str) -> dict[str, int]:
        found = await ask(ledger, ProvenanceOf(party_id=party_id, command_id=command_id))
        return {origin.command_id: origin.points for origin in found.origins}

    assert await origins(SHOP, "o") == {"1": 10, "2": 8}
    assert await origins(SHOP, "p") == {"1": 10, "2": 4}
    assert await origins(SHOP, "b") == {"1": 2, "2": 4}
    # Two of the second were never set aside, four were not captured, then the refunded ones.
    assert await origins(STORE, "u") == {"2": 10, "1": 2}


async def test_a_corrected_credit_takes_its_own_points_with_it(ledger: HubProcess) -> None:
    wrong = credit("wrong", ME, 10, FOREVER)
    await ask_all(ledger, credit("1", ME, 10, FOREVER), wrong, credit("3", ME, 10, FOREVER), correct("k", wrong))
    await ask(ledger, use("u", ME, 15))
    found = await ask(ledger, ProvenanceOf(party_id=STORE, command_id="u"))
    assert told(found) == {(AIRLINE, "1"): 10, (AIRLINE, "3"): 5}
    taken = await ask(ledger, ProvenanceOf(party_id=CITY_OFFICE, command_id="k"))
    assert told(taken) == {(AIRLINE, "wrong"): 10}


async def test_a_returned_merge_joins_the_end_of_the_queue(ledger: HubProcess) -> None:
    await ask_all(
        ledger, credit("1", ME, 10, FOREVER), credit("2", ME, 10, FOREVER), send("s", ME, 5), send_back("b", ME, "s"),
        use("u", ME, 16),
    )  # fmt: skip
    found = await ask(ledger, ProvenanceOf(party_id=STORE, command_id="u"))
    assert told(found) == {(AIRLINE, "1"): 6, (AIRLINE, "2"): 10}


async def test_what_was_refused_or_never_heard_of_came_from_nowhere(ledger: HubProcess) -> None:
    await ask(ledger, use("u", ME, 5))
    for command_id in ("u", "never"):
        found = await ask(ledger, ProvenanceOf(party_id=STORE, command_id=command_id))
        assert found == Provenance(kind=None, points=0, origins=[])


async def test_a_long_life_is_read_piece_by_piece(ledger: HubProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.ledger.provenance.POSTINGS_AT_ONCE", 3)
    await ask_all(ledger, *(credit(f"c{n}", ME, 1, FOREVER) for n in range(20)), use("u", ME, 20))
    found = await ask(ledger, ProvenanceOf(party_id=STORE, command_id="u"))
    assert told(found) == {(AIRLINE, f"c{n}"): 1 for n in range(20)}


def _source(number: int) -> Source:
    return Source(1, AIRLINE, str(number), START.date())


parcels = st.lists(st.builds(Parcel, st.integers(0, 3).map(_source), st.integers(1, 5)), max_size=8)


def _single(some: list[Parcel]) -> list[Source]:
    return [parcel.source for parcel in some for _ in range(parcel.points)]


@given(parcels, st.integers(0, 40))
def test_a_queue_gives_the_first_or_the_last_in_their_order(some: list[Parcel], amount: int) -> None:
    everything = _single(some)
    for take, expected in (
        (Queue.take, everything[:amount]),
        (Queue.take_last, everything[max(0, len(everything) - amount) :]),
    ):
        queue = Queue()
        queue.add(some)
        if amount > len(everything):
            with pytest.raises(JournalBrokenError):
                take(queue, amount)
        else:
            assert _single(take(queue, amount)) == expected
            rest = _single(queue.take(len(everything) - amount))
            assert (expected + rest if take is Queue.take else rest + expected) == everything


@given(parcels, parcels)
def test_a_queue_gives_the_very_parcels_as_far_as_they_are_there(some: list[Parcel], wanted: list[Parcel]) -> None:
    queue = Queue()
    queue.add(some)
    there, asked = Counter(_single(some)), Counter(_single(wanted))
    if asked.total() > there.total():
        with pytest.raises(JournalBrokenError):
            queue.take_these(wanted)
        return
    taken = Counter(_single(queue.take_these(wanted)))
    assert taken.total() == asked.total()
    assert taken >= there & asked
    assert taken + Counter(_single(queue.take(there.total() - asked.total()))) == there
