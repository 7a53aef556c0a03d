"""A test's hold on the mail server that runs beside it."""

from typing import Any, Final

from aiohttp import ClientSession

HOST: Final = "127.0.0.1"


class Mailbox:
    """What it has taken, and how it shall misbehave (`tests.peers.mailbox`)."""

    def __init__(self, smtp_port: int, http_port: int) -> None:
        self.smtp_port = smtp_port
        self._url = f"http://{HOST}:{http_port}"

    async def stats(self) -> dict[str, Any]:
        """Counts: mails, distinct, duplicates, refused, by_subject."""
        found: dict[str, Any] = await self._json("GET", "/stats")
        return found

    async def mails(self, limit: int = 100) -> list[dict[str, Any]]:
        """The last mails, the newest first."""
        found: list[dict[str, Any]] = await self._json("GET", f"/mails?limit={limit}")
        return found

    async def misbehave(self, **faults: object) -> None:
        """From now on, these faults only; none named is none."""
        await self._json("POST", "/faults", faults)

    async def forget(self) -> None:
        """Begin anew."""
        await self.misbehave()
        await self._json("DELETE", "/mails")

    async def _json(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        async with (
            ClientSession() as session,
            session.request(method, self._url + path, json=body, raise_for_status=True) as response,
        ):
            return await response.json()
