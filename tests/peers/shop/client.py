"""The hub as a party sees it: signed requests, and addresses that lead back to a shop, verified."""

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.peers.airline.signing import Signer

SIGNATURE = "&mykey_signature="
FIRST_ERROR = 400


class RefusedError(Exception):
    """The hub answered with a problem."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status


class Hub:
    """Asks the hub."""

    def __init__(self, session: aiohttp.ClientSession, url: str, signer: Signer) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._signer = signer

    async def ask(self, method: str, place: str, body: object = None) -> dict[str, Any]:
        """What is answered at this place below `/api`. Raises RefusedError."""
        url = f"{self._url}/api{place}"
        sent = None if body is None else json.dumps(body).encode()
        extra = {} if sent is None else {"Content-Type": "application/json"}
        headers = self._signer.headers(method, url, sent, extra)
        async with self._session.request(method, url, data=sent, headers=headers) as response:
            if response.status >= FIRST_ERROR:
                raise RefusedError(response.status, await response.text())
            answer: dict[str, Any] = await response.json()
            return answer

    async def verified(self, address: str) -> dict[str, str] | None:
        """What an address that leads back tells, or None where it is not the hub's word."""
        key = await self.ask("GET", "/checkout/return-key")
        public = load_pem_public_key(key["public_key_pem"].encode())
        signed, found, signature = address.partition(SIGNATURE)
        if not found or not isinstance(public, Ed25519PublicKey):
            return None
        try:
            public.verify(urlsafe_b64decode(signature + "=="), f"{key['purpose']}\n{signed}".encode())
        except (InvalidSignature, ValueError):
            return None
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
