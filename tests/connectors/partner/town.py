"""A small town for the partners' tests: a hub at work behind its door, citizens with links, partners with keys."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from demo.ports import free_port
from hub.clock import AdjustableClock, Clock
from hub.component import Component
from hub.installed import installed
from hub.process import HubProcess
from hub.serving import serving
from hub.settings import Settings
from hub.web.signatures import sign_request
from schemas.citizens import LinkCitizen, MailChoices, RegisterCitizen
from schemas.municipalities import RegisterScheme
from schemas.parties import KeyAlgorithm, PartyKind, RegisterParty, RegisterPartyKey
from schemas.points import BalanceOf
from tests.running import SECRET_KEY

HOST: Final = "127.0.0.1"
DEADLINE_S: Final = 10.0
SCHEME: Final = "232343"
NO_SCHEME: Final = "131016"
CITIZENS: Final = 5
AIRLINE: Final = UUID(int=0xA1)
CARD_COMPANY: Final = UUID(int=0xA2)
STORE: Final = UUID(int=0xB1)
PARTIES: Final = {
    "airline": (AIRLINE, PartyKind.partner),
    "card": (CARD_COMPANY, PartyKind.partner),
    "store": (STORE, PartyKind.store),
    "shop": (UUID(int=0x51), PartyKind.shop),
    "fund": (UUID(int=0xF1), PartyKind.fund),
}
TIME: Final = "2017-10-01T09:00:00+09:00"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was answered
        """The body."""
        return json.loads(self.body)


class Partner:
    """Somebody who signs with a key of `Town.keys`."""

    def __init__(self, session: ClientSession, url: str, key_id: str, secret: bytes) -> None:
        self._session = session
        self._url = url
        self._key_id = key_id
        self._secret = secret

    def signed(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        created: datetime | None = None,
    ) -> dict[str, str]:
        """The headers of a request, signed now."""
        return dict(headers or {}) | sign_request(
            method=method,
            url=f"{self._url}/api/partner{path}",
            key_id=self._key_id,
            algorithm=KeyAlgorithm.ed25519,
            secret=self._secret,
            created=created or datetime.now(UTC),
            body=body,
            headers=headers,
        )

    async def send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:  # noqa: ANN401 - what aiohttp takes
        """A request as it is."""
        url = URL(f"{self._url}/api/partner{path}", encoded=True)
        async with self._session.request(method, url, data=body, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    async def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A signed request."""
        return await self.send(method, path, body, self.signed(method, path, body, headers))

    async def get(self, path: str) -> Any:  # noqa: ANN401 - whatever was answered
        """What a GET answers."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json

    async def post(self, text: str) -> Answer:
        """A body as it is, to the batch door."""
        return await self.ask("POST", "/transfers", text.encode(), {"Content-Type": "application/json"})

    async def batch(self, *items: object) -> list[Any]:
        """The results of a batch."""
        answer = await self.post(json.dumps({"transfers": items}))
        assert answer.status == 200, answer
        results: list[Any] = answer.json["results"]
        return results

    async def file(self, content: bytes, own_id: str, media_type: str = "text/csv") -> Answer:
        """Hand in a file."""
        return await self.ask(
            "POST", "/transfer-files", content, {"Content-Type": media_type, "Idempotency-Key": own_id}
        )


@dataclass(frozen=True)
class Town:
    """A hub behind its door, with `CITIZENS` citizens linked to both partners as `l-1` and so on."""

    process: HubProcess
    url: str
    session: ClientSession
    keys: Mapping[str, bytes]

    def partner(self, key_id: str = "airline") -> Partner:
        """Somebody with a key of this id."""
        return Partner(self.session, self.url, key_id, self.keys[key_id])

    async def balance(self, number: int) -> dict[str, int]:
        """What a citizen holds, by pool."""
        return (await self.process.bus.call(BalanceOf(citizen_id=UUID(int=number)), DEADLINE_S)).by_pool

    def component(self, name: str) -> Component:
        """One of the components."""
        return next(one for one in self.process.components if one.name == name)


def transfer(transfer_id: str, link: int = 1, points: object = 1_000, to: object = "reserve") -> dict[str, Any]:
    """An item that is right, unless it is changed."""
    return {"transfer_id": transfer_id, "link_id": f"l-{link}", "points": points, "to": to, "occurred_at": TIME}


@asynccontextmanager
async def town(
    database_url: str,
    clock: Clock | None = None,
    further: Sequence[str] = (),
    **settings: Any,  # noqa: ANN401 - settings by their names
) -> AsyncIterator[Town]:
    """The town, open; `further` are components that it mostly does without."""
    port = free_port()
    made = Settings(database_url=database_url, http_port=port, **{"secret_key": SECRET_KEY, **settings})
    components = installed(["registry", "ledger", "partner", *further])
    async with (
        serving(made, clock or AdjustableClock(), components, database_url) as served,
        ClientSession() as session,
    ):
        assert served.url is not None
        keys = await settle(served.process)
        yield Town(served.process, served.url, session, keys)


async def settle(process: HubProcess) -> dict[str, bytes]:
    """Open a scheme, take in parties with their keys and citizens with their links; returns the private keys."""
    call = process.bus.call
    await call(RegisterScheme(lg_code=SCHEME, point_name="ポイント", expiry_rule="none"), DEADLINE_S)
    keys: dict[str, bytes] = {}
    for key_id, (party_id, kind) in PARTIES.items():
        private = Ed25519PrivateKey.generate()
        keys[key_id] = private.private_bytes_raw()
        await call(RegisterParty(party_id=party_id, kind=kind, name=key_id), DEADLINE_S)
        await call(_key(party_id, key_id, private.public_key().public_bytes_raw()), DEADLINE_S)
    for number in range(1, CITIZENS + 1):
        await call(_citizen(number), DEADLINE_S)
        for party_id in (AIRLINE, CARD_COMPANY):
            link = LinkCitizen(citizen_id=UUID(int=number), party_id=party_id, link_id=f"l-{number}")
            await call(link, DEADLINE_S)
    await process.drained(deadline_s=DEADLINE_S)
    return keys


def _key(party_id: UUID, key_id: str, public: bytes) -> RegisterPartyKey:
    return RegisterPartyKey(party_id=party_id, key_id=key_id, algorithm=KeyAlgorithm.ed25519, key_bytes=public)


def _citizen(number: int) -> RegisterCitizen:
    return RegisterCitizen(
        citizen_id=UUID(int=number),
        mykey_id=f"{number:08d}",
        name=f"氏名 {number}",
        mail=f"citizen-{number}@mail.example",
        base_lg_code=SCHEME,
        choices=MailChoices(),
    )
