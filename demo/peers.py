"""Peers as processes of their own: they know nothing of us but our public doors."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from demo.ports import free_port
from hub.errors import PermanentError
from schemas.id_links import CALLBACK

CHECKOUT: Final = Path(__file__).parent.parent
START_TIMEOUT_S: Final = 20.0
CLIENT_ID: Final = "mykey-hub"
MEMBER: Final = "denki:akari:customer-00048151"
"""Of the company whose accounts are linked in the demo: log-in, password, and its own name for the member."""
STOP_TIMEOUT_S: Final = 5.0


class PeerFailedError(PermanentError):
    """A peer ended with an error; what it wrote is above."""


@asynccontextmanager
async def peer(module: str, *arguments: str, stdin: int | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A peer's process, ended when the block is left; `stdin` as asyncio has it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=CHECKOUT,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def _environment() -> dict[str, str]:
    """Nothing of our settings: a peer has no business with them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MYKEY_")}


class Mailbox:
    """The local mail server that catches the story's mails."""

    def __init__(self, smtp_port: int, http_port: int) -> None:
        self.smtp_port = smtp_port
        self.url = f"http://127.0.0.1:{http_port}"

    async def stats(self) -> dict[str, Any]:
        """Its counts."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/stats") as response:
            counts: dict[str, Any] = await response.json()
            return counts


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """A mailbox, listening."""
    async with peer("tests.peers.mailbox") as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
        if not line:
            raise PeerFailedError("tests.peers.mailbox")
        ports = json.loads(line)
        yield Mailbox(ports["smtp_port"], ports["http_port"])


class PartnerKey:
    """A company's own signing key, in a file that only its process reads."""

    def __init__(self, folder: Path, key_id: str) -> None:
        self.key_id = key_id
        self.path = folder / f"{key_id}.key"
        private = Ed25519PrivateKey.generate()
        self.path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.path.chmod(0o600)
        self.public_bytes = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@asynccontextmanager
async def member_log_in(hub_url: str, party_id: UUID, title: str) -> AsyncIterator[str]:
    """A company's OpenID provider with one member, listening; yields its issuer.

    It calls itself `localhost`, which is another site than ours to a browser, as a company's is.
    """
    port = free_port()
    arguments = (
        *("--port", str(port), "--host", "localhost", "--client-id", CLIENT_ID, "--title", title, "--tell-members"),
        *("--redirect-uri", f"{hub_url}{CALLBACK}{party_id}", "--jwks-uri", f"{hub_url}/api/partner/jwks.json"),
        *("--member", MEMBER),
    )
    async with peer("tests.peers.openid", *arguments) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        if not await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S):
            raise PeerFailedError("tests.peers.openid")
        yield f"http://localhost:{port}"


def tell(process: asyncio.subprocess.Process, told: object) -> None:
    """One line of JSON to a peer that was started with an input."""
    assert process.stdin is not None  # noqa: S101 - asked for where it is started
    process.stdin.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")


async def heard(process: asyncio.subprocess.Process, module: str, timeout_s: float) -> dict[str, Any]:
    """The next line of JSON that a peer says. Raises PeerFailedError, TimeoutError."""
    assert process.stdout is not None  # noqa: S101 - `peer` asks for it
    line = await asyncio.wait_for(process.stdout.readline(), timeout_s)
    if not line:
        raise PeerFailedError(module)
    said: dict[str, Any] = json.loads(line)
    return said


async def run_to_end(module: str, arguments: Sequence[str], timeout_s: float) -> list[dict[str, Any]]:
    """Run a peer until it ends by itself; the JSON lines it printed. Raises PeerFailedError, TimeoutError."""
    async with peer(module, *arguments) as process, asyncio.timeout(timeout_s):
        assert process.stdout is not None  # noqa: S101 - asked for above
        lines = [json.loads(line) async for line in process.stdout]
        if await process.wait() != 0:
            raise PeerFailedError(f"{module}: {lines[-1] if lines else ''}")
        return lines
