"""The people that each party finds in its sandbox: made up, linked to it, with points to begin with."""

import secrets
import string
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from connectors.sandbox.cards import Cards
from connectors.sandbox.world import DEADLINE_S, GIVER, HOME, done, heard
from hub.bus import Bus
from hub.ids import uuid7
from schemas.cards import ProveCard
from schemas.citizens import CheckMyKeyId, LinkCitizen, MailChoices
from schemas.mykey_ids import CreateMyKeyId
from schemas.points import CreditPoints, PostingAnswer
from schemas.problems import RefusalCode
from schemas.values import RESERVE, event_pool, scheme_pool

PASSWORD: Final = "sunaba-4027-yuzu-kaede"  # noqa: S105 - of people who do not exist, and told to everybody
MYKEY_CHARS: Final = 8
HASH_BYTES: Final = 16


class Person(NamedTuple):
    """Somebody who was made: the party knows the citizen by `link_id`."""

    link_id: str
    citizen_id: UUID
    mykey_id: str


class Role(NamedTuple):
    """Somebody to be made, and where the points that there are to begin with go: `home`, `reserve` or `event`."""

    link_id: str
    name: str
    points: Mapping[str, int]


ROLES: Final = (
    Role("taro", "刈谷 太郎", {"home": 5_000}),
    Role("hanako", "刈谷 花子", {"reserve": 1_200}),
    Role("jiro", "刈谷 次郎", {"event": 800}),
    Role("saburo", "刈谷 三郎", {}),
)


class People:
    """Makes them, by messages, as the portal and partners would."""

    def __init__(self, bus: Bus, cards: Cards) -> None:
        self._bus = bus
        self._cards = cards

    async def make(self, party_id: UUID, event_id: UUID, role: Role) -> Person:
        """Somebody linked to this party, with the role's points. Raises TransientError."""
        person = await self.born(party_id, role.link_id, role.name)
        pools = {"home": scheme_pool(HOME), "reserve": RESERVE, "event": event_pool(event_id)}
        for where, points in role.points.items():
            await self._give(person.citizen_id, pools[where], points)
        return person

    async def born(self, party_id: UUID, link_id: str, name: str) -> Person:
        """Somebody linked to this party, without points. Raises TransientError."""
        citizen_id, enrolment_id = uuid7(), uuid4()
        mykey_id = "".join(secrets.choice(string.digits + string.ascii_uppercase) for _ in range(MYKEY_CHARS))
        await self._bus.call(CheckMyKeyId(enrolment_id=enrolment_id, mykey_id=mykey_id), DEADLINE_S)
        proof = self._cards.proof()
        await self._bus.call(ProveCard(proof=proof), DEADLINE_S)
        made = CreateMyKeyId(
            citizen_id=citizen_id,
            proof_id=proof.job_id,
            enrolment_id=enrolment_id,
            mykey_id=mykey_id,
            name=name,
            mail=f"{mykey_id.lower()}@sandbox.example",
            password=PASSWORD,
            base_lg_code=HOME,
            choices=MailChoices(on_grant=True, on_expiry=True, on_password_change=True, on_mykey_id_change=True),
        )
        done(await self._bus.call(made, DEADLINE_S))
        done(await self._bus.call(LinkCitizen(citizen_id=citizen_id, party_id=party_id, link_id=link_id), DEADLINE_S))
        return Person(link_id, citizen_id, mykey_id)

    async def _give(self, citizen_id: UUID, pool: str, points: int) -> None:
        """The ledger keeps a refusal for ever, so each try has an id of its own."""

        async def tried(number: int) -> PostingAnswer:
            command_id = f"{citizen_id}.{number}"
            credit = CreditPoints(
                party_id=GIVER,
                command_id=command_id,
                request_hash=sha256(command_id.encode()).digest()[:HASH_BYTES],
                citizen_id=citizen_id,
                pool=pool,
                points=points,
            )
            return await self._bus.call(credit, DEADLINE_S)

        await heard(tried, RefusalCode.no_event if pool.startswith("event:") else RefusalCode.no_scheme)
