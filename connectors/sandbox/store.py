"""Who was given keys here, and which people are whose."""

import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from connectors.sandbox import statements as sql
from connectors.sandbox.people import Person
from hub.apart import committed
from hub.database import Database, Row, reachable
from hub.keys import Hasher
from hub.transaction import Transaction
from schemas.parties import PartyKind

TOKEN_BYTES: Final = 32
TOKEN_PREFIX: Final = "mks_"  # noqa: S105 - by which a token is known for what it is, wherever it turns up
PARTIES_LIMIT: Final = 1_000
CITIZENS_LIMIT: Final = 100
"""Of one party."""


class Party(NamedTuple):
    """Somebody who tries things; `event_id` is an event of its own."""

    party_id: UUID
    kind: PartyKind
    name: str
    event_id: UUID


class PartyStore:
    """Our tables. What it raises: TransientError."""

    def __init__(self, database: Database, hasher: Hasher) -> None:
        self._database = database
        self._hasher = hasher

    async def of_token(self, token: str) -> Party | None:
        """Whose token it is."""
        async with reachable(), self._database.reading() as reading:
            row = await reading.fetch_row(sql.PARTY_BY_HASH, self._hasher.hash(token.encode()))
        return None if row is None else _party(row)

    async def is_full(self) -> bool:
        """Whether there are as many parties as there may be."""
        async with reachable(), self._database.reading() as reading:
            count: int = await reading.fetch_value(sql.COUNT)
        return count >= PARTIES_LIMIT

    async def add(self, party: Party, people: Sequence[Person]) -> str:
        """Keep a party and its people; returns its token, which nobody can be told again."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        hashed = self._hasher.hash(token.encode())

        async def work(tx: Transaction) -> None:
            row = (party.party_id, party.kind.value, party.name, hashed, party.event_id, tx.now)
            await tx.execute(sql.ADD_PARTY, *row)
            await _add_people(tx, party.party_id, people)

        await committed(self._database, work)
        return token

    async def add_person(self, party_id: UUID, person: Person) -> None:
        """One more."""
        await committed(self._database, lambda tx: _add_people(tx, party_id, [person]))

    async def next_key(self, party_id: UUID) -> int:
        """The number of the party's next key, never given twice."""

        async def work(tx: Transaction) -> int:
            number: int = await tx.fetch_value(sql.NEXT_KEY, party_id)
            return number

        return await committed(self._database, work)

    async def people_of(self, party_id: UUID) -> list[Person]:
        """In the order in which they were made."""
        async with reachable(), self._database.reading() as reading:
            rows = await reading.fetch(sql.CITIZENS, party_id)
        return [Person(row["link_id"], row["citizen_id"], row["mykey_id"]) for row in rows]


async def _add_people(tx: Transaction, party_id: UUID, people: Sequence[Person]) -> None:
    link_ids, citizen_ids, mykey_ids = zip(*people, strict=True)
    await tx.execute(sql.ADD_CITIZENS, party_id, list(link_ids), list(citizen_ids), list(mykey_ids))


def _party(row: Row) -> Party:
    return Party(row["party_id"], PartyKind(row["kind"]), row["name"], row["event_id"])
