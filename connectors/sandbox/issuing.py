"""A partner, shop or fund of the sandbox: registered as in earnest, with keys, people and an event of its own."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.sandbox import world
from connectors.sandbox.people import PASSWORD, ROLES, People, Person
from connectors.sandbox.shapes import Destination, IssuedKey, PartyState, PartyToIssue, SeededCitizen
from connectors.sandbox.store import Party, PartyStore
from connectors.sandbox.watching import key_id_of
from connectors.sandbox.world import DEADLINE_S, done, heard
from hub.bus import Bus
from hub.clock import Clock
from hub.ids import uuid7
from schemas.links import Linkage, PresentParty
from schemas.municipalities import Registered, RegisterSupportEvent, SupportEventsOf
from schemas.offers import ApplyForParty, DealMode
from schemas.parties import EndPartyKey, KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.points import BalanceOf
from schemas.problems import RefusalCode
from schemas.values import RESERVE, event_pool, scheme_pool

EVENT_DAYS: Final = 30
SECRET_BYTES: Final = 32
OFFICE_MAIL: Final = "office@sandbox.example"


class Issuing:
    """Makes parties and their keys, and tells how they stand. Raises TransientError."""

    def __init__(self, bus: Bus, store: PartyStore, people: People, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._people = people
        self._clock = clock

    async def issue(self, asked: PartyToIssue) -> tuple[Party, str, IssuedKey]:
        """The party, its token and its first key."""
        party = Party(uuid7(), PartyKind(asked.kind), asked.name, uuid4())
        await self._register(party, asked.page_url)
        made = [await self._people.make(party.party_id, party.event_id, role) for role in ROLES]
        token = await self._store.add(party, made)
        return party, token, await self.issue_key(party, asked.algorithm)

    async def issue_key(self, party: Party, algorithm: KeyAlgorithm) -> IssuedKey:
        """One more key; the others stay good."""
        key_id = key_id_of(party.party_id, await self._store.next_key(party.party_id))
        if algorithm is KeyAlgorithm.hmac_sha256:
            drawn = secrets.token_bytes(SECRET_BYTES)
            await self._register_key(party, key_id, algorithm, drawn)
            return IssuedKey(key_id=key_id, algorithm=algorithm, secret=drawn.hex())
        private = Ed25519PrivateKey.generate()
        await self._register_key(party, key_id, algorithm, private.public_key().public_bytes_raw())
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return IssuedKey(key_id=key_id, algorithm=algorithm, private_key=pem)

    async def end_key(self, party: Party, key_id: str) -> str | None:
        """From now on it is good for nothing; why not, where there is no such key."""
        command = EndPartyKey(party_id=party.party_id, key_id=key_id, ends_at=self._clock.now())
        return (await self._bus.call(command, DEADLINE_S)).code

    async def one_more(self, party: Party, link_id: str) -> Person:
        """Another citizen, without points."""
        person = await self._people.born(party.party_id, link_id, "刈谷 新")
        await self._store.add_person(party.party_id, person)
        return person

    async def state(self, party: Party) -> PartyState:
        """As of now."""
        people = await self._store.people_of(party.party_id)
        return PartyState(
            party_id=party.party_id,
            kind=party.kind,
            name=party.name,
            citizens=[await self.seeded(person) for person in people],
            destinations=await self._destinations(party),
        )

    async def seeded(self, person: Person) -> SeededCitizen:
        """With the points there are now."""
        balances = (await self._bus.call(BalanceOf(citizen_id=person.citizen_id), DEADLINE_S)).by_pool
        return SeededCitizen(
            link_id=person.link_id, mykey_id=person.mykey_id, password=PASSWORD, balances=dict(balances)
        )

    async def _destinations(self, party: Party) -> list[Destination]:
        events = (await self._bus.call(SupportEventsOf(), DEADLINE_S)).support_events
        own = [one for one in events if one.event_id in {party.event_id, world.CLOSED_EVENT}]
        return [
            Destination(to=RESERVE, name="留保ポイント"),
            *(Destination(to=scheme_pool(lg_code), name=world.NAMES[lg_code]) for lg_code in world.CITIES),
            *(Destination(to=event_pool(one.event_id), name=one.point_name, last=one.last) for one in own),
        ]

    async def _register(self, party: Party, page_url: str) -> None:
        registered = RegisterParty(party_id=party.party_id, kind=party.kind, name=party.name)
        done(await self._bus.call(registered, DEADLINE_S))
        page = PresentParty(party_id=party.party_id, linkage=Linkage.id_link, page_url=page_url)
        done(await self._bus.call(page, DEADLINE_S))
        today = self._clock.business_date()
        event = RegisterSupportEvent(
            event_id=party.event_id,
            lg_code=world.HOME,
            point_name="サンドボックスイベントポイント",
            first=today,
            last=today + timedelta(days=EVENT_DAYS),
        )
        done(await self._bus.call(event, DEADLINE_S))
        if party.kind is not PartyKind.partner:
            for lg_code in world.OPEN_CITIES:
                await heard(self._applying(party.party_id, lg_code), RefusalCode.unknown_party)

    def _applying(self, party_id: UUID, lg_code: str) -> Callable[[int], Awaitable[Registered]]:
        """A municipality applies for the shop: its points may be used there, for what its office approves."""
        asked = ApplyForParty(lg_code=lg_code, party_id=party_id, mode=DealMode.direct, mail=OFFICE_MAIL)

        async def ask(_number: int) -> Registered:
            return await self._bus.call(asked, DEADLINE_S)

        return ask

    async def _register_key(self, party: Party, key_id: str, algorithm: KeyAlgorithm, key_bytes: bytes) -> None:
        key = RegisterPartyKey(party_id=party.party_id, key_id=key_id, algorithm=algorithm, key_bytes=key_bytes)
        done(await self._bus.call(key, DEADLINE_S))
