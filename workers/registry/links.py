"""Links: a partner's, shop's or fund's own name for a citizen (画面57); looking them up is the hot path."""

from collections.abc import Sequence
from uuid import UUID

from hub.transaction import Reading, Transaction
from schemas.citizens import CitizenLinked, LinkCitizen, LinkedCitizens, LinkedCitizensOf
from schemas.links import CitizenUnlinked, Link, Links, LinksOf, UnlinkCitizen
from schemas.municipalities import Registered
from schemas.problems import RefusalCode
from workers.registry import statements as sql
from workers.registry.citizens import held


class Book:
    """What a run of links has to know; what the run itself does is seen by its later messages."""

    def __init__(self) -> None:
        self.parties: set[UUID] = set()
        self.citizens: set[UUID] = set()
        self.by_link_id: dict[tuple[UUID, str], UUID] = {}
        self.by_citizen: dict[tuple[UUID, UUID], str] = {}

    def add(self, party_id: UUID, link_id: str, citizen_id: UUID) -> None:
        """A link there is."""
        self.by_link_id[party_id, link_id] = citizen_id
        self.by_citizen[party_id, citizen_id] = link_id

    def has(self, message: LinkCitizen) -> bool:
        """Whether this very link is there already."""
        return self.by_link_id.get((message.party_id, message.link_id)) == message.citizen_id

    def refusal(self, message: LinkCitizen) -> str | None:
        """Why this link cannot be made."""
        if message.party_id not in self.parties:
            return RefusalCode.unknown_party
        if message.citizen_id not in self.citizens:
            return RefusalCode.unknown_citizen
        if (message.party_id, message.link_id) in self.by_link_id:
            return RefusalCode.link_taken
        if (message.party_id, message.citizen_id) in self.by_citizen:
            return RefusalCode.already_linked
        return None


async def link_citizens(messages: Sequence[LinkCitizen], tx: Transaction) -> list[Registered]:
    """One link id a citizen at each party, and one citizen a link id; the same again changes nothing.

    Refused `unknown_party`, `unknown_citizen`, `link_taken` (by another citizen), `already_linked` (under
    another link id).
    """
    book = await _load(messages, tx)
    new: list[tuple[object, ...]] = []
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        is_new = not book.has(message)
        code = book.refusal(message) if is_new else None
        if is_new and code is None:
            book.add(message.party_id, message.link_id, message.citizen_id)
            new.append((message.party_id, message.link_id, message.citizen_id, tx.now))
            tx.emit(CitizenLinked(**message.model_dump()), about)
        answers.append(Registered(code=code) if code else Registered(id=message.citizen_id))
    if new:
        await tx.copy("registry", "link", sql.LINK_COLUMNS, new)
    return answers


async def linked_citizens_of(query: LinkedCitizensOf, reading: Reading) -> LinkedCitizens:
    """One prepared statement, however many link ids."""
    rows = await reading.fetch(sql.LINKED_CITIZENS, query.party_id, query.link_ids)
    return LinkedCitizens.model_construct(citizens={row[0]: row[1] for row in rows})


async def unlink_citizens(messages: Sequence[UnlinkCitizen], tx: Transaction) -> list[Registered]:
    """What is not there is ended already; refused `unknown_citizen`."""
    citizens = [message.citizen_id for message in messages]
    known = await held(citizens, tx)
    rows = await tx.fetch(sql.UNLINK, [message.party_id for message in messages], citizens)
    gone = {(row["party_id"], row["citizen_id"]): row["link_id"] for row in rows}
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        link_id = gone.pop((message.party_id, message.citizen_id), None)
        if link_id is not None:
            ended = CitizenUnlinked(
                citizen_id=message.citizen_id, party_id=message.party_id, link_id=link_id, ended_at=tx.now
            )
            tx.emit(ended, about)
        is_known = message.citizen_id in known
        answers.append(Registered(id=message.citizen_id) if is_known else Registered(code=RefusalCode.unknown_citizen))
    return answers


async def links_of(query: LinksOf, reading: Reading) -> Links:
    """A citizen's links, the latest first."""
    rows = await reading.fetch(sql.LINKS_OF_CITIZEN, query.citizen_id)
    return Links(links=[Link(**dict(row)) for row in rows])


async def _load(messages: Sequence[LinkCitizen], tx: Transaction) -> Book:
    parties = [message.party_id for message in messages]
    citizens = [message.citizen_id for message in messages]
    book = Book()
    book.parties = {row[0] for row in await tx.fetch(sql.LINKABLE_PARTIES, list(set(parties)))}
    book.citizens = await held(citizens, tx)
    link_ids = [message.link_id for message in messages]
    for row in await tx.fetch(sql.LINKS_BY_LINK_ID, parties, link_ids):
        book.add(*row)
    for row in await tx.fetch(sql.LINKS_BY_CITIZEN, parties, citizens):
        book.add(*row)
    return book
