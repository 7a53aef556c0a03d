"""Somebody in the sandbox, who has nothing but its address and what `POST /parties` answers."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import ClientSession

from hub.web.signatures import sign_request
from schemas.parties import KeyAlgorithm
from tests.connectors.partner.town import TIME, Answer

PEM_LINES = slice(1, -1)
KEY_BYTES = 32


class Somebody:
    """A party with its token and one key."""

    def __init__(self, session: ClientSession, url: str, told: Any) -> None:  # noqa: ANN401 - as it was answered
        self.session = session
        self.url = url
        self.told = told
        self.key = told["key"]

    @classmethod
    async def new(cls, session: ClientSession, url: str, **asked: str) -> Self:
        """`kind`, `name` and so on."""
        async with session.post(f"{url}/api/sandbox/parties", json={"name": "試用会社", **asked}) as response:
            told = await response.json()
            assert response.status == 200, told
        return cls(session, url, told)

    async def sandbox(self, method: str, path: str, content: object = None, status: int = 200) -> Any:  # noqa: ANN401 - the same
        """What the sandbox's own door answers."""
        headers = {"Authorization": f"Bearer {self.told['token']}"}
        async with self.session.request(
            method, f"{self.url}/api/sandbox{path}", json=content, headers=headers
        ) as response:
            body = await response.read()
            assert response.status == status, body
            return json.loads(body) if body else None

    async def ask(
        self, method: str, path: str, content: object = None, headers: dict[str, str] | None = None, **other: str
    ) -> Answer:
        """A request, signed by the key; where it is said so, under another `key_id`, or `signed_for` another hub."""
        body = None if content is None else json.dumps(content).encode()
        signed = sign_request(
            method=method,
            url=f"{other.get('signed_for', self.url)}{path}",
            key_id=other.get("key_id", self.key["key_id"]),
            algorithm=KeyAlgorithm(self.key["algorithm"]),
            secret=secret_of(self.key),
            created=datetime.now(UTC),
            body=body,
        )
        sent = {**signed, **(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        async with self.session.request(method, f"{self.url}{path}", data=body, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def transfers(self, *transfers: object, headers: dict[str, str] | None = None) -> Answer:
        """A batch."""
        return await self.ask("POST", "/api/partner/transfers", {"transfers": transfers}, headers)

    async def balances(self, link_id: str) -> Any:  # noqa: ANN401 - the same
        """What somebody of its people has, by pool."""
        people = (await self.sandbox("GET", "/party"))["citizens"]
        return next(one["balances"] for one in people if one["link_id"] == link_id)


def secret_of(key: Any) -> bytes:  # noqa: ANN401 - the same
    """The raw private key, or the shared secret."""
    if key["algorithm"] == "hmac-sha256":
        return bytes.fromhex(key["secret"])
    return b64decode("".join(key["private_key"].splitlines()[PEM_LINES]))[-KEY_BYTES:]


def transfer(transfer_id: str, /, **other: object) -> dict[str, object]:
    """One that is right, unless it is changed."""
    right = {"link_id": "saburo", "points": 100, "to": "reserve", "occurred_at": TIME}
    return {"transfer_id": transfer_id, **right, **other}
