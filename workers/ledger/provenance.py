"""Where points came from, through every move: a citizen's journal played again, parcel by parcel.

A parcel is points of one posting of a partner (credit, coupon) or programme (grant). Lots of the same pool, last day
and origin are one account, so which of its points are spent is a convention. It is this one:

1. First in, first out within a lot: what leaves it are the parcels that have been in it the longest.
2. What moves from lot to lot keeps its parcels, in their order, and joins the end of the new lot's queue.
3. What is set aside keeps its parcels with its hold, in the order in which they left their lots. What is captured goes
   first, what comes back (the rest, a void, an expiry, a returned merge) goes last, to the end of the queue.
4. A refund brings the last captured parcels back, to the end of the queue.
5. A correction moves the very parcels that its original moved. Where some of them have gone on since, the oldest of
   that lot go in their place.

So the origins of a posting always add up to its points.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from hub.database import Row
from hub.errors import PermanentError
from hub.transaction import Reading
from schemas.history import Origin, Provenance, ProvenanceOf
from schemas.values import lane_of
from workers.ledger import history_statements as statements
from workers.ledger.accounts import Kind

POSTINGS_AT_ONCE: Final = 1_000

_SET_ASIDE: Final = frozenset({"voucher", "checkout", "merge"})
_TAKEN: Final = frozenset({"shop"})
"""Who may give back what it captured."""


class JournalBrokenError(PermanentError):
    """The journal moves points that are not there: `mykey-hub verify` tells where."""


class Source(NamedTuple):
    """The posting that points came in by."""

    kind: int
    party_id: UUID
    command_id: str
    posted_on: date


class Parcel(NamedTuple):
    """Points of one source."""

    source: Source
    points: int


class Leg(NamedTuple):
    """One transfer; the roles are those of contra accounts, empty for a lot."""

    debit: int
    credit: int
    points: int
    debit_role: str
    credit_role: str

    def is_reversed_by(self, other: "Leg") -> bool:
        """Whether that transfer goes the other way; what would come back to an ended MyKey ID expires."""
        back = Leg(self.credit, self.debit, self.points, self.credit_role, self.debit_role)
        ended = other.credit_role == "expired" and not back.credit_role
        return back == (other._replace(credit=back.credit, credit_role="") if ended else other)


class Posting(NamedTuple):
    """A posted command with its transfers; `corrected_on` tells that a correction reversed it later."""

    source: Source
    hold_id: UUID | None
    corrected_on: date | None
    legs: tuple[Leg, ...]


class Queue:
    """Parcels that wait in line."""

    def __init__(self) -> None:
        self._parcels: deque[Parcel] = deque()

    def add(self, parcels: Iterable[Parcel]) -> None:
        """To the end; what is of the same source as the last one joins it."""
        for parcel in parcels:
            if self._parcels and self._parcels[-1].source == parcel.source:
                parcel = Parcel(parcel.source, self._parcels.pop().points + parcel.points)  # noqa: PLW2901 - the joined one
            self._parcels.append(parcel)

    def take(self, points: int) -> list[Parcel]:
        """The first ones. Raises JournalBrokenError where there are not enough."""
        taken: list[Parcel] = []
        while points:
            if not self._parcels:
                raise JournalBrokenError(f"{points} points too few")
            parcel = self._parcels.popleft()
            part = min(parcel.points, points)
            points -= part
            taken.append(Parcel(parcel.source, part))
            if part < parcel.points:
                self._parcels.appendleft(Parcel(parcel.source, parcel.points - part))
        return taken

    def take_last(self, points: int) -> list[Parcel]:
        """The last ones, in their order. Raises JournalBrokenError."""
        rest = sum(parcel.points for parcel in self._parcels) - points
        if rest < 0:
            raise JournalBrokenError(f"{-rest} points too few")
        kept = self.take(rest)
        taken = list(self._parcels)
        self._parcels = deque(kept)
        return taken

    def take_these(self, wanted: Sequence[Parcel]) -> list[Parcel]:
        """Parcels of these sources as far as they are there, and the first ones in the place of the others."""
        missing: dict[Source, int] = defaultdict(int)
        for parcel in wanted:
            missing[parcel.source] += parcel.points
        taken: list[Parcel] = []
        kept: deque[Parcel] = deque()
        for parcel in self._parcels:
            part = min(parcel.points, missing.get(parcel.source, 0))
            if part:
                missing[parcel.source] -= part
                taken.append(Parcel(parcel.source, part))
            if part < parcel.points:
                kept.append(Parcel(parcel.source, parcel.points - part))
        self._parcels = kept
        return taken + self.take(sum(missing.values()))


@dataclass(slots=True)
class Replay:
    """A citizen's lots and holds as parcels, posting by posting."""

    lots: dict[int, Queue] = field(default_factory=lambda: defaultdict(Queue))
    holds: dict[UUID | None, Queue] = field(default_factory=lambda: defaultdict(Queue))
    captured: dict[UUID | None, Queue] = field(default_factory=lambda: defaultdict(Queue))
    _originals: list[tuple[Posting, list[list[Parcel]]]] = field(default_factory=list)
    """Postings that are corrected later, with the parcels of each of their transfers."""

    def post(self, posting: Posting) -> list[Parcel]:
        """Play one posting; returns the parcels that it was about. Raises JournalBrokenError."""
        if posting.source.kind == Kind.correct:
            moved = self._correct(posting)
        else:
            refunded = Queue()
            if posting.source.kind == Kind.refund:
                total = sum(leg.points for leg in posting.legs)
                refunded.add(self.captured[posting.hold_id].take_last(total))
            moved = [self._debit(posting, leg, refunded) for leg in posting.legs]
        for leg, parcels in zip(posting.legs, moved, strict=True):
            self._credit(posting, leg, parcels)
        if posting.corrected_on is not None:
            self._originals.append((posting, moved))
        # A capture also gives the rest back; it is about what went to the shop.
        is_capture = posting.source.kind == Kind.capture
        return [
            parcel
            for leg, parcels in zip(posting.legs, moved, strict=True)
            if not is_capture or leg.credit_role in _TAKEN
            for parcel in parcels
        ]

    def _debit(self, posting: Posting, leg: Leg, refunded: Queue) -> list[Parcel]:
        if not leg.debit_role:
            return self.lots[leg.debit].take(leg.points)
        if leg.debit_role in _SET_ASIDE:
            return self.holds[posting.hold_id].take(leg.points)
        if leg.debit_role in _TAKEN:
            return refunded.take(leg.points)
        return [Parcel(posting.source, leg.points)]

    def _credit(self, posting: Posting, leg: Leg, parcels: Sequence[Parcel]) -> None:
        if not leg.credit_role:
            self.lots[leg.credit].add(parcels)
        elif leg.credit_role in _SET_ASIDE:
            self.holds[posting.hold_id].add(parcels)
        elif leg.credit_role in _TAKEN:
            self.captured[posting.hold_id].add(parcels)

    def _correct(self, correction: Posting) -> list[list[Parcel]]:
        original, moved = self._original_of(correction)
        parcels: list[list[Parcel]] = []
        for leg, wanted in zip(correction.legs, reversed(moved), strict=True):
            parcels.append(wanted if leg.debit_role else self.lots[leg.debit].take_these(wanted))
        self._originals.remove((original, moved))
        return parcels

    def _original_of(self, correction: Posting) -> tuple[Posting, list[list[Parcel]]]:
        """The posting whose transfers it reverses, corrected that day; of several alike the first."""
        for original, moved in self._originals:
            if original.corrected_on == correction.source.posted_on and _reverses(correction, original):
                return original, moved
        raise JournalBrokenError("a correction without its original")


def _reverses(correction: Posting, original: Posting) -> bool:
    if len(correction.legs) != len(original.legs):
        return False
    return all(one.is_reversed_by(leg) for one, leg in zip(reversed(original.legs), correction.legs, strict=True))


async def provenance_of(query: ProvenanceOf, reading: Reading) -> Provenance:
    """Plays the citizen's journal up to this posting: as long as that is, a thousand postings at a time."""
    asked = await reading.fetch_row(statements.POSTING, query.party_id, query.command_id)
    if asked is None:
        return Provenance(kind=None, points=0, origins=[])
    replay, parcels = Replay(), list[Parcel]()
    last = asked["block"], asked["number"]
    place, partition = (0, -1), lane_of(asked["citizen_id"])
    while place < last:
        rows = await reading.fetch(statements.JOURNAL, asked["citizen_id"], *place, *last, POSTINGS_AT_ONCE, partition)
        if not rows:
            break
        for posting in _postings(rows):
            parcels = replay.post(posting)
        place = rows[-1]["block"], rows[-1]["number"]
    if place != last:
        parcels = []
    return Provenance(kind=Kind(asked["kind"]).name, points=asked["points"], origins=_origins(parcels))


def _postings(rows: Iterable[Row]) -> Iterable[Posting]:
    """Rows of transfers, put together to postings."""
    legs: dict[tuple[int, int], list[Leg]] = defaultdict(list)
    firsts: dict[tuple[int, int], Row] = {}
    for row in rows:
        place = row["block"], row["number"]
        firsts.setdefault(place, row)
        legs[place].append(
            Leg(row["debit"], row["credit"], row["points"], _role(row["debit_name"]), _role(row["credit_name"]))
        )
    for place, row in firsts.items():
        source = Source(row["kind"], row["party_id"], row["command_id"], row["posted_on"])
        yield Posting(source, row["hold_id"], row["corrected_on"], tuple(legs[place]))


def _role(name: str | None) -> str:
    return "" if name is None else name.partition(":")[0]


def _origins(parcels: Iterable[Parcel]) -> list[Origin]:
    points: dict[Source, int] = {}
    for parcel in parcels:
        points[parcel.source] = points.get(parcel.source, 0) + parcel.points
    return [
        Origin(
            kind=Kind(source.kind).name,
            party_id=source.party_id,
            command_id=source.command_id,
            posted_on=source.posted_on,
            points=total,
        )
        for source, total in points.items()
    ]
