"""HTTP with patience: what may be asked again is asked again, the same body under a new signature."""

import asyncio
import time
from typing import Any, Protocol

import aiohttp

from tests.peers.airline.signing import Signer

TRIES_LIMIT = 60
PAUSE_S = 0.25
REQUEST_TIMEOUT_S = 120.0
AGAIN = (408, 409, 429, 503)
"""Too slow, still under way, too many, not now: the hub says that the same may be asked again."""
FIRST_ERROR = 400
POLL_S = 0.1


class Tell(Protocol):
    """Tells what has happened."""

    def __call__(self, event: str, **values: object) -> None:
        """One event and what belongs to it."""


class RefusedError(Exception):
    """The hub answered with a problem that asking again does not mend."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(f"{status}: {problem}")


class Hub:
    """The hub as a partner sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, signer: Signer) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._signer = signer
        self.retries = 0

    async def post_batch(self, body: bytes) -> list[dict[str, Any]]:
        """The results of a batch, in order."""
        answer = await self._ask("POST", "/transfers", body, {"Content-Type": "application/json"})
        results: list[dict[str, Any]] = answer["results"]
        return results

    async def post_file(self, content: bytes, own_id: str, media_type: str = "text/csv") -> str:
        """Hand in a file of that type; returns the hub's id of it."""
        headers = {"Content-Type": media_type, "Idempotency-Key": own_id}
        answer = await self._ask("POST", "/transfer-files", content, headers)
        return str(answer["file_id"])

    async def file(self, file_id: str) -> dict[str, Any]:
        """How far a file is."""
        return await self._ask("GET", f"/transfer-files/{file_id}")

    async def results(self, file_id: str, cursor: str | None, limit: int) -> dict[str, Any]:
        """One page of a file's results."""
        place = f"/transfer-files/{file_id}/results?limit={limit}"
        return await self._ask("GET", place if cursor is None else f"{place}&cursor={cursor}")

    async def settlement(self, first: str, last: str) -> dict[str, Any]:
        """What came in from us during a period."""
        return await self._ask("GET", f"/settlement?first={first}&last={last}")

    async def _ask(
        self, method: str, place: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        url = f"{self._url}/api/partner{place}"
        for attempt in range(TRIES_LIMIT):
            self.retries += attempt > 0
            signed = self._signer.headers(method, url, body, headers or {})
            try:
                async with self._session.request(method, url, data=body, headers=signed) as response:
                    if response.status < FIRST_ERROR:
                        answer: dict[str, Any] = await response.json()
                        return answer
                    if response.status not in AGAIN:
                        raise RefusedError(response.status, await response.text())
                    pause_s = float(response.headers.get("Retry-After", PAUSE_S))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                pause_s = PAUSE_S
            await asyncio.sleep(pause_s)
        raise RefusedError(0, f"{method} {place}: no answer in {TRIES_LIMIT} tries")


async def finished(hub: Hub, file_id: str, timeout_s: float, tell: Tell) -> dict[str, Any]:
    """Wait until a file is finished, telling its progress when it moves. Raises TimeoutError."""
    give_up = time.monotonic() + timeout_s
    done = -1
    while True:
        file = await hub.file(file_id)
        if file["done"] != done:
            done = file["done"]
            tell("file", state=file["state"], done=done, rows=file["rows"])
        if file["state"] == "finished":
            return file
        if time.monotonic() > give_up:
            raise TimeoutError(f"file {file_id} is not finished after {timeout_s} s")
        await asyncio.sleep(POLL_S)


def session() -> aiohttp.ClientSession:
    """A session that waits for an answer, but not for ever."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S))
