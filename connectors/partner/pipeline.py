"""From checked items to outcomes, the same way for batches and files: the links, then the ledger.

Every item with a valid id is put to the ledger, also the ones that are refused here: so its id has the
same outcome for ever, whatever is sent under it later. The ledger alone decides on repeated ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from connectors.partner.destinations import Destinations
from connectors.partner.items import Checked, Fault, Faulty, Good
from hub import failpoints
from hub.bus import Bus
from schemas.citizens import LinkedCitizensOf
from schemas.points import CreditPoints, PostingAnswer, PostingStatus, RecordRefusal, nobody
from schemas.problems import RefusalCode

LOOKUP_DEADLINE_S: Final = 10.0
POSTING_DEADLINE_S: Final = 60.0

FIELD_OF: Final[Mapping[str, str]] = {
    RefusalCode.id_conflict: "transfer_id",
    RefusalCode.unknown_link: "link_id",
    RefusalCode.citizen_revoked: "link_id",
    RefusalCode.bad_link: "link_id",
    RefusalCode.bad_points: "points",
    RefusalCode.no_scheme: "to",
    RefusalCode.scheme_closed: "to",
    RefusalCode.no_event: "to",
    RefusalCode.event_closed: "to",
    RefusalCode.bad_to: "to",
    RefusalCode.bad_code: "to",
    RefusalCode.pool_not_agreed: "to",
    RefusalCode.bad_time: "occurred_at",
}
"""The field that a refusal is about."""


class ItemOutcome(NamedTuple):
    """How one item ended: `points` that came in, 0 where refused; `posted_on` None where nothing was kept."""

    transfer_id: str | None
    status: PostingStatus
    points: int
    posted_on: date | None
    replayed: bool
    faults: Sequence[Fault] = ()

    @property
    def code(self) -> RefusalCode | None:
        """Why it was refused."""
        return self.faults[0].code if self.faults else None


Asked: TypeAlias = CreditPoints | RecordRefusal


@dataclass(frozen=True, slots=True)
class Prepared:
    """Items and what is asked of the ledger for each, in order; None where there is no id to ask under."""

    items: Sequence[Checked]
    asked: Sequence[Asked | None]


class Pipeline:
    """Puts a partner's items to the registry and the ledger."""

    def __init__(self, bus: Bus, destinations: Destinations) -> None:
        self._bus = bus
        self._destinations = destinations

    async def outcomes(self, party_id: UUID, items: Sequence[Checked]) -> list[ItemOutcome]:
        """Each item's outcome, in order; posted means committed.

        Raises:
            TransientError: not now, or not known; asking again with the same items is safe.
        """
        return await self.post(await self.prepare(party_id, items))

    async def prepare(self, party_id: UUID, items: Sequence[Checked]) -> Prepared:
        """Look the links up, all at once. Raises TransientError."""
        agreed = await self._destinations.agreed(party_id)
        items = items if agreed is None else [_within(item, agreed) for item in items]
        link_ids = list({item.link_id for item in items if isinstance(item, Good)})
        if not link_ids:
            return Prepared(items, [_asked(party_id, item, {}) for item in items])
        found = await self._bus.call(
            LinkedCitizensOf(party_id=party_id, link_ids=link_ids), deadline_s=LOOKUP_DEADLINE_S
        )
        return Prepared(items, [_asked(party_id, item, found.citizens) for item in items])

    async def post(self, prepared: Prepared) -> list[ItemOutcome]:
        """Ask the ledger, which answers after its commit. Raises TransientError."""
        answers: dict[int, PostingAnswer] = {}
        for places in _rounds(prepared.asked):
            asked = [command for place in places if (command := prepared.asked[place]) is not None]
            failpoints.reach("partner.before_posting")
            answered = await self._bus.call_many(asked, deadline_s=POSTING_DEADLINE_S)
            failpoints.reach("partner.after_posting")
            answers.update(zip(places, answered, strict=True))
        return [_outcome(item, answers.get(place)) for place, item in enumerate(prepared.items)]


def _within(item: Checked, agreed: frozenset[str]) -> Checked:
    """A good item with a destination that was not agreed is a faulty one."""
    if isinstance(item, Faulty) or item.pool in agreed:
        return item
    fault = Fault("to", RefusalCode.pool_not_agreed)
    return Faulty(item.transfer_id, item.transfer_id, (fault,), item.request_hash)


def _asked(party_id: UUID, item: Checked, citizens: Mapping[str, UUID]) -> Asked | None:
    if isinstance(item, Good):
        citizen_id = citizens.get(item.link_id)
        if citizen_id is None:
            return _refusal(party_id, item.transfer_id, item.request_hash, RefusalCode.unknown_link)
        # Each value was checked where it came in: the item's by its own type, which asks the same of them.
        return CreditPoints.trusted(
            party_id=party_id,
            command_id=item.transfer_id,
            request_hash=item.request_hash,
            citizen_id=citizen_id,
            pool=item.pool,
            points=item.points,
        )
    if item.transfer_id is None:
        return None
    return _refusal(party_id, item.transfer_id, item.request_hash, item.faults[0].code)


def _refusal(party_id: UUID, transfer_id: str, request_hash: bytes, code: RefusalCode) -> RecordRefusal:
    return RecordRefusal(
        party_id=party_id,
        command_id=transfer_id,
        request_hash=request_hash,
        citizen_id=nobody(party_id, transfer_id),
        code=code.value,
    )


def _rounds(asked: Sequence[Asked | None]) -> Iterator[list[int]]:
    """The places to ask at once: each id's first item, then all repeats.

    The ledger keeps the order of one citizen only, and a repeat may name another one. Once the first is
    decided, the repeats cannot change anything, so their order among themselves does not matter.
    """
    seen: set[str] = set()
    first: list[int] = []
    repeats: list[int] = []
    for place, command in enumerate(asked):
        if command is None:
            continue
        if command.command_id in seen:
            repeats.append(place)
        else:
            seen.add(command.command_id)
            first.append(place)
    return (places for places in (first, repeats) if places)


def _outcome(item: Checked, answer: PostingAnswer | None) -> ItemOutcome:
    shown = item.shown_id if isinstance(item, Faulty) else item.transfer_id
    found = item.faults if isinstance(item, Faulty) else ()
    if answer is None:
        return ItemOutcome(shown, PostingStatus.refused, 0, None, replayed=False, faults=found)
    faults = () if answer.code is None else _faults_of(answer.code, found)
    return ItemOutcome(shown, answer.status, answer.points, answer.posted_on, answer.replayed, faults)


def _faults_of(code: str, found: Sequence[Fault]) -> Sequence[Fault]:
    """All that was found at the door, where that is why it was refused; else the ledger's reason."""
    if found and found[0].code == code:
        return found
    return (Fault(FIELD_OF.get(code, ""), RefusalCode(code)),)
