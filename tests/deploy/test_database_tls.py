"""Whoever is not proven to be our PostgreSQL is told nothing, no user name and no password (ASVS 12.3.1, 12.3.2).

By the address that `mykey-hub secrets` writes. The other side begins as PostgreSQL does, up to the handshake: the
server of other tests is built without TLS.
"""

import asyncio
import re
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from hub import migrations
from hub.authority import Authority
from hub.clock import SystemClock
from hub.database import UNREACHABLE, Database, answering, listening
from hub.keys import Keys
from hub.migrations import MigrationSource
from hub.roles import component_url
from hub.settings import Settings
from tests.certificates import self_signed
from tests.deploy.parts import make_secrets
from tests.running import SECRET_KEY
from tests.waiting import wait_until

NAME: Final = "localhost"
PLACE: Final = f"{NAME}:5432"
HOST: Final = "127.0.0.1"
SSL_REQUEST: Final = struct.pack("!ii", 8, 80_877_103)
"""Asked before anything else is said (PostgreSQL's manual, "Message Formats")."""
OURS: Final = "ours"
NO_TLS: Final = "no TLS"
STRANGERS: Final = ("signed by itself", "of another host", "of another authority", NO_TLS)
NAMED: Final = re.compile(rb"user\0mykey_(owner|mail)\0")


def of_mail(url: str) -> str:
    """The component's own."""
    return component_url(url, "mail", Settings(role_passwords={"mail": SecretStr("mail's own password")}))


async def open_pool(url: str) -> None:
    """As a component does."""
    sealer = Keys(SECRET_KEY.encode()).sealer("database")
    await Database("mail", of_mail(url), 1, SystemClock(), sealer).open()


async def migrate(url: str) -> None:
    """As `mykey-hub migrate` does."""
    await migrations.migrate(url, [MigrationSource("hub", Path())])


async def wait_for_it(url: str) -> None:
    """As whatever starts with the machine does."""
    await answering(url, limit_s=-1.0)


async def listen(url: str) -> None:
    """As whoever is woken does."""
    async with listening(of_mail(url), "wake", print):
        raise AssertionError("it is nobody's database")


WAYS: Final[tuple[Callable[[str], Awaitable[None]], ...]] = (open_pool, migrate, wait_for_it, listen)


@dataclass
class Pretender:
    """What came after the question for TLS, connection by connection; nothing where it was ended there."""

    url: str = ""
    came: list[bytes] = field(default_factory=list)

    async def meet(
        self, context: ssl.SSLContext | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection: without a certificate it has no TLS."""
        said = b""
        try:
            asked = await reader.readexactly(len(SSL_REQUEST))
            said = b"" if asked == SSL_REQUEST else asked
            writer.write(b"N" if context is None else b"S")
            if context is not None:
                await writer.start_tls(context)
            said += await reader.read(1_000)
        except (OSError, EOFError):
            pass  # it was hung up on
        finally:
            self.came.append(said)
            writer.close()


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an installation whose PostgreSQL is `localhost`."""
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder, "--postgres", PLACE, "--ca-file", str(folder / "ca.pem"))
    return folder


@pytest.fixture(scope="module")
def proofs(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Path] | None]:
    """What each of them shows: a certificate and its key."""
    alone = self_signed(secrets / "alone.pem")
    day = timedelta(days=1)
    return {
        OURS: (secrets / "postgres.pem", secrets / "postgres.key"),
        "signed by itself": (alone, alone),
        "of another host": Authority(secrets, day).issue("elsewhere", "elsewhere.example"),
        "of another authority": Authority(tmp_path_factory.mktemp("other") / "made", day).issue("postgres", NAME),
        NO_TLS: None,
    }


@asynccontextmanager
async def pretending(secrets: Path, proof: tuple[Path, Path] | None) -> AsyncIterator[Pretender]:
    """One at the address of the installation's database."""
    made = Pretender()
    context = None
    if proof is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*proof)
    server = await asyncio.start_server(lambda reader, writer: made.meet(context, reader, writer), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    made.url = (secrets / "owner_url").read_text().replace(f"@{PLACE}/", f"@{NAME}:{port}/")
    async with server:
        yield made


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_stranger_in_the_databases_place_is_told_nothing(
    stranger: str,
    way: Callable[[str], Awaitable[None]],
    secrets: Path,
    proofs: Mapping[str, tuple[Path, Path] | None],
) -> None:
    async with pretending(secrets, proofs[stranger]) as pretender:
        with pytest.raises(UNREACHABLE) as caught:
            await way(pretender.url)
        await wait_until(lambda: pretender.came)

    assert pretender.came == [b""], "and there is no second try, without TLS"
    proven = isinstance(caught.value.__cause__ or caught.value, ssl.SSLCertVerificationError)
    assert proven is (stranger != NO_TLS)


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_proven_is_told_who_we_are(
    way: Callable[[str], Awaitable[None]], secrets: Path, proofs: Mapping[str, tuple[Path, Path] | None]
) -> None:
    """So that what is not said above is not said for want of a proof."""
    async with pretending(secrets, proofs[OURS]) as pretender:
        with pytest.raises(UNREACHABLE):
            await way(pretender.url)
        await wait_until(lambda: pretender.came)

    assert NAMED.search(pretender.came[0])
