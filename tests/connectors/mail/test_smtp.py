"""Conversations with mail servers of every kind, on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.mail.conversation import Reply, Stage
from connectors.mail.smtp import MAILS_PER_CONNECTION_LIMIT, Server, SmtpPool
from hub.clock import SystemClock
from hub.errors import TransientError
from tests.certificates import self_signed
from tests.peers.mailbox.catcher import Catcher, Hooks
from tests.peers.mailbox.faults import Faults
from tests.peers.mailbox.kept import Kept
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback

HOST: Final = "127.0.0.1"
MAIL: Final = b"Message-ID: <1@mykey.example>\r\nSubject: x\r\n\r\n.first\r\n..second\r\nend\r\n"
either_way = pytest.mark.parametrize("pipelining", [True, False])


@asynccontextmanager
async def listening(serve: Callable[[], Catcher], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of the mailbox's kind; its port."""
    made: list[Catcher] = []

    def remembered() -> Catcher:
        made.append(serve())
        return made[-1]

    server = await asyncio.get_running_loop().create_server(remembered, HOST, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in made:
            if one.transport is not None:
                one.cut()


@asynccontextmanager
async def playing(*lines: bytes) -> AsyncIterator[int]:
    """A server that says these lines, one for each it is told, and hangs up; its port."""
    writers: list[asyncio.StreamWriter] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        for line in lines:
            writer.write(line)
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(play, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def pooled(port: int, security: str = "none", host: str = HOST, connections: int = 2) -> AsyncIterator[SmtpPool]:
    """A pool to that server."""
    pool = SmtpPool(Server(host, port, security, "mykey.example", 2.0), connections, SystemClock())
    try:
        yield pool
    finally:
        await pool.close()


def catching(
    *,
    pipelining: bool = True,
    tls: ssl.SSLContext | None = None,
    **faults: Any,  # noqa: ANN401 - the fields of Faults
) -> tuple[Hooks, Callable[[], Catcher]]:
    """The mailbox in this process."""
    hooks = Hooks(Kept(), Faults(**deepcopy(faults)), pipelining=pipelining)
    return hooks, lambda: Catcher(hooks, "mailbox.invalid", tls)


async def send(pool: SmtpPool, recipient: str = "user@mail.example") -> Reply:
    return await pool.deliver("no-reply@mykey.example", recipient, MAIL)


@either_way
async def test_mails_arrive_as_they_are_dots_and_all(*, pipelining: bool) -> None:
    hooks, serve = catching(pipelining=pipelining)
    async with listening(serve) as port, pooled(port) as pool:
        for _ in range(3):
            assert await send(pool) == Reply(Stage.content, 250)
    (mail, *_) = hooks.kept.last(1)
    assert mail["raw"] == MAIL.decode()
    assert (hooks.kept.mails, hooks.kept.connections) == (3, 1)


@either_way
@pytest.mark.parametrize(
    "faults,reply",
    [
        ({"recipients": {"a@mail.example": "550 5.1.1 no a@mail.example"}}, Reply(Stage.recipient, 550, "5.1.1")),
        ({"recipient_replies": ["450 4.2.0 later"]}, Reply(Stage.recipient, 450, "4.2.0")),
        ({"data_replies": ["552 5.3.4 too big"]}, Reply(Stage.content, 552, "5.3.4")),
        ({"data_replies": ["452 no space"]}, Reply(Stage.content, 452)),
    ],
)
async def test_a_refusal_says_which_step_and_the_connection_goes_on(
    *, pipelining: bool, faults: dict[str, Any], reply: Reply
) -> None:
    hooks, serve = catching(pipelining=pipelining, **faults)
    async with listening(serve) as port, pooled(port) as pool:
        assert await send(pool, "a@mail.example") == reply
        assert (await send(pool)).accepted
    assert (hooks.kept.mails, hooks.kept.connections) == (1, 1)


@either_way
async def test_a_refused_sender_is_our_fault(*, pipelining: bool) -> None:
    _, serve = catching(pipelining=pipelining, sender_reply="550 5.7.1 no")
    async with listening(serve) as port, pooled(port) as pool:
        assert await send(pool) == Reply(Stage.sender, 550, "5.7.1")


async def test_no_more_connections_than_allowed_however_many_mails_wait() -> None:
    hooks, serve = catching()
    async with listening(serve) as port, pooled(port, connections=3) as pool:
        replies = await asyncio.gather(*(send(pool) for _ in range(60)))
    assert all(reply.accepted for reply in replies)
    assert (hooks.kept.mails, hooks.kept.connections) == (60, 3)


async def test_a_connection_is_not_used_for_ever() -> None:
    hooks, serve = catching()
    async with listening(serve) as port, pooled(port, connections=1) as pool:
        for _ in range(MAILS_PER_CONNECTION_LIMIT + 1):
            await send(pool)
    assert hooks.kept.connections == 2


async def test_a_kept_connection_that_the_server_closed_is_not_used_again() -> None:
    connections: list[Catcher] = []
    _, make = catching()

    def serve() -> Catcher:
        connections.append(make())
        return connections[-1]

    async with listening(serve) as port, pooled(port, connections=1) as pool:
        await send(pool)
        connections[0].cut()
        (line,) = pool._idle
        await wait_until(lambda: not line.conversation.is_open)
        assert (await send(pool)).accepted


@pytest.mark.parametrize("cut", [True, False])
async def test_a_lost_or_silent_connection_is_tried_again_later(*, cut: bool) -> None:
    faults = {"drop_after_data": 1} if cut else {"delay_s": 60.0}
    hooks, serve = catching(**faults)
    async with listening(serve) as port, pooled(port) as pool:
        with pytest.raises(TransientError):
            await send(pool)
        hooks.faults = Faults()
        assert (await send(pool)).accepted


@pytest.mark.parametrize(
    "said",
    [
        b"421 4.3.2 going down\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"250 " + b"x" * 1_000_000,
        b"250 ok\r\n250 ok\r\n354 go\r\n250 taken, honestly\r\n",
        b"\xff\xfe\r\n",
        b"199 maybe\r\n",
    ],
)
async def test_a_server_that_does_not_keep_to_the_rules_has_taken_nothing(said: bytes) -> None:
    async with playing(b"220 hello\r\n", b"250-hello\r\n250 PIPELINING\r\n", said) as port, pooled(port) as pool:
        with pytest.raises(TransientError):
            await send(pool)


async def test_nobody_there_is_asked_once_in_a_while_only() -> None:
    async with playing(b"220 hello\r\n") as port:
        pass
    async with pooled(port) as pool:
        for reason in ("SMTPConnectError", "not reached"):
            with pytest.raises(TransientError, match=reason) as error:
                await send(pool)
            assert 0 < error.value.retry_after_s <= 5


async def test_without_starttls_there_is_no_mail_when_it_is_wanted() -> None:
    hooks, serve = catching()
    async with listening(serve) as port, pooled(port, "starttls") as pool:
        with pytest.raises(TransientError):
            await send(pool)
    assert hooks.kept.mails == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate") / "localhost.pem")


@asynccontextmanager
async def listening_safely(security: str, certificate: Path) -> AsyncIterator[tuple[Hooks, int]]:
    """The mailbox with TLS, at once or by STARTTLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    hooks, serve = catching(tls=context if security == "starttls" else None)
    async with listening(serve, context if security == "tls" else None) as port:
        yield hooks, port


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_mails_go_through_tls(security: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with listening_safely(security, certificate) as (hooks, port), pooled(port, security, "localhost") as pool:
        for _ in range(2):
            assert (await send(pool)).accepted
    assert (hooks.kept.mails, hooks.kept.connections) == (2, 1)


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("host,trusted", [("localhost", False), (HOST, True)])
async def test_a_certificate_that_is_not_known_or_not_the_hosts_gets_no_mail(
    *, security: str, host: str, trusted: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with listening_safely(security, certificate) as (hooks, port), pooled(port, security, host) as pool:
        with pytest.raises(TransientError):
            await send(pool)
    assert hooks.kept.mails == 0
