"""One connection to library systems that behave, and to those that do not."""

import asyncio
import ssl
import struct
from datetime import timedelta
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

import pytest

from connectors.library import sip2
from connectors.library.conversation import Patron
from connectors.library.lines import (
    LibraryAnswerError,
    LibraryClosedError,
    LibraryDownError,
    LibraryLoginError,
    Lines,
)
from demo.ports import free_port
from hub.authority import Authority
from hub.clock import SystemClock
from hub.errors import NoAnswerError, OutsideDownError
from schemas.libraries import LibrarySite
from tests.connectors.library.systems import (
    HOST,
    KNOWN,
    LOGIN,
    ONLINE,
    PASSWORD,
    UNKNOWN,
    VALID,
    Talk,
    answer,
    answering,
    request,
    simulator,
    site,
    system,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback


async def asked(where: LibrarySite, number: str = KNOWN) -> Patron:
    """Asked over a connection of its own."""
    lines = Lines(SystemClock())
    try:
        return await lines.patron(where, number)
    finally:
        await lines.close()


@pytest.mark.parametrize("charset", ["utf-8", "cp932"])
async def test_the_library_knows_its_patrons_and_no_others(charset: str) -> None:
    with simulator(charset=charset, login=f"{LOGIN}={PASSWORD}") as port:
        where = site(port, charset=charset, login=LOGIN, password=PASSWORD, location="COUNTER1")
        assert await asked(where) is Patron.known
        assert await asked(where, UNKNOWN) is Patron.unknown
        assert await asked(where.model_copy(update={"checksums": False})) is Patron.known
        for wrong in ({"password": "wrong"}, {"login": "nobody"}):
            with pytest.raises(LibraryLoginError):
                await asked(where.model_copy(update=wrong))


async def test_a_wrong_charset_is_never_taken_for_an_answer() -> None:
    # As CP932, the é takes the bar after it along: what is left tells of no validity at all.
    talk = answering(ONLINE, VALID.replace("ヤマダ タロウ|BLY", "José|BLN"), charset="iso-8859-1")
    async with system(talk) as port:
        with pytest.raises(LibraryAnswerError):
            await asked(site(port, charset="cp932"))
        assert await asked(site(port, charset="iso-8859-1")) is Patron.unknown


async def test_one_connection_is_kept_for_many_questions_and_closed_when_nobody_asks() -> None:
    connections = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(reader)
        await answering(ONLINE, VALID)(reader, writer)

    async with system(talk) as port:
        lines = Lines(SystemClock(), idle_limit_s=0.2)
        answers = await asyncio.gather(*(lines.patron(site(port), KNOWN) for _ in range(20)))
        assert answers == [Patron.known] * 20
        assert len(connections) == 1
        await wait_until(connections[0].at_eof)
        assert await lines.patron(site(port), KNOWN) is Patron.known
        assert len(connections) == 2
        changed = site(port, institution="OTHER")
        assert await lines.patron(changed, KNOWN) is Patron.known
        assert len(connections) == 3
        await lines.close()


async def test_a_kept_connection_that_was_cut_is_made_again() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answering(ONLINE, VALID)(reader, writer)

    async with system(talk) as port:
        lines = Lines(SystemClock())
        for number in range(1, 4):
            assert await lines.patron(site(port), KNOWN) is Patron.known
            assert len(writers) == number
            reset(writers[-1])
        await lines.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Cut the connection by RST, as a firewall does."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def spoilt_then_right(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Asks for everything again, and sends everything wrong once."""
    for body in (ONLINE, VALID):
        frame = await request(reader)
        writer.write(sip2.framed("96", "utf-8", None))
        assert await request(reader) == frame
        right = answer(body, frame)
        writer.write(right.replace(b"2026", b"2027"))
        assert await request(reader) == b"97AZFEF5"
        writer.write(b"\r\n" + right[:40])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(right[40:] + b"\n")


async def late_then_right(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends an old answer first, about somebody else's number."""
    writer.write(answer(ONLINE, await request(reader)))
    frame = await request(reader)
    old = VALID.replace("BLY", "BLN")
    writer.write(sip2.framed(old, "utf-8", 9) + answer(VALID, frame))
    await request(reader)


async def two_bytes_at_a_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for body in (ONLINE, VALID):
        frame = answer(body, await request(reader))
        for at in range(0, len(frame), 2):
            writer.write(frame[at : at + 2])
            await writer.drain()


async def nothing_but_63(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE.replace("BXY", "BXN"), await request(reader)))
    frame = await request(reader)
    assert frame.startswith(b"63")
    writer.write(answer(VALID.replace("24", "64").replace("AOLIB", "0000" * 6 + "AOLIB"), frame))


@pytest.mark.parametrize("talk", [spoilt_then_right, late_then_right, two_bytes_at_a_time, nothing_but_63])
async def test_what_arrives_in_another_way_is_understood_all_the_same(talk: Talk) -> None:
    async with system(talk) as port:
        assert await asked(site(port)) is Patron.known


async def always_with_a_checksum(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for number, body in enumerate((ONLINE, VALID)):
        assert b"AZ" not in await request(reader)
        writer.write(sip2.framed(body, "utf-8", number))


async def test_a_library_that_appends_what_it_was_not_asked_for_is_understood() -> None:
    async with system(always_with_a_checksum) as port:
        assert await asked(site(port, checksums=False)) is Patron.known


@pytest.mark.parametrize(
    "valid, patron",
    [
        (VALID.replace(f"AA{KNOWN}|", ""), Patron.known),
        (VALID.replace(KNOWN, "180000000012"), Patron.unknown),
        (VALID.replace(f"AA{KNOWN}|", "AA|").replace("BLY", "BLN"), Patron.unknown),
    ],
)
async def test_a_patron_with_another_number_is_not_the_one_asked_for(valid: str, patron: Patron) -> None:
    async with system(answering(ONLINE, valid)) as port:
        assert await asked(site(port)) is patron


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def silent_once_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    await reader.read()


async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    writer.write(answer(VALID, await request(reader))[:50])
    await reader.read()


async def half_an_answer_and_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    writer.write(answer(VALID, await request(reader))[:50])


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    await request(reader)
    reset(writer)


async def spoilt_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    while True:
        await request(reader)
        writer.write(b"941AY0AZ0000\r")


async def asks_again_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    while True:
        await request(reader)
        writer.write(sip2.framed("96", "utf-8", None))


async def without_an_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    await request(reader)
    while True:
        writer.write(b"24" * 1_000)
        await writer.drain()


async def nothing_but_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    await request(reader)
    while True:
        writer.write(b"\r\n" * 1_000)
        await writer.drain()


async def a_web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONLINE, await request(reader)))
    await request(reader)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize(
    "talk",
    [
        silent_once_open,
        half_an_answer,
        half_an_answer_and_gone,
        resets,
        spoilt_for_ever,
        asks_again_for_ever,
        without_an_end,
        nothing_but_ends,
        a_web_server,
    ],
)
async def test_no_answer_in_time_is_no_answer(talk: Talk) -> None:
    async with system(talk) as port:
        async with asyncio.timeout(10):
            with pytest.raises(NoAnswerError):
                await asked(site(port, timeout_s=1.0))


@pytest.mark.parametrize(
    "talk, login, error",
    [
        (silent, "", LibraryDownError),
        (answering(ONLINE.replace("98Y", "98N")), "", LibraryClosedError),
        (answering("940"), LOGIN, LibraryLoginError),
        (answering("941", "garbage"), LOGIN, LibraryDownError),
    ],
)
async def test_a_library_that_cannot_be_asked_is_down(talk: Talk, login: str, error: type[OutsideDownError]) -> None:
    async with system(talk) as port:
        with pytest.raises(error) as raised:
            await asked(site(port, timeout_s=1.0, login=login, password=PASSWORD))
    assert PASSWORD not in str(raised.value)
    assert raised.value.destination == "library:130001"


async def test_where_nobody_listens_the_next_question_is_not_even_tried() -> None:
    lines = Lines(SystemClock())
    nowhere = site(free_port())
    with pytest.raises(LibraryDownError, match="ConnectionRefusedError"):
        await lines.patron(nowhere, KNOWN)
    with pytest.raises(LibraryDownError, match="cannot be connected to") as raised:
        await lines.patron(nowhere, KNOWN)
    assert 0 < raised.value.retry_after_s <= 1
    await lines.close()


async def test_who_gives_up_waiting_leaves_no_answer_behind_for_the_next_one() -> None:
    slow = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(ONLINE, await request(reader)))
        frame = await request(reader)
        await slow.wait()
        writer.write(answer(VALID, frame))
        await reader.read()

    async with system(talk) as port:
        lines = Lines(SystemClock())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await lines.patron(site(port), KNOWN)
        slow.set()
        assert await lines.patron(site(port), KNOWN) is Patron.known
        await lines.close()


async def test_a_certificate_that_nobody_vouches_for_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, timedelta(days=1))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("library", HOST))
    server = await asyncio.start_server(answering(ONLINE, VALID), HOST, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    for security in ("tls", "none"):
        with pytest.raises(LibraryDownError):
            await asked(site(port, security=security, timeout_s=1.0))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    assert await asked(site(port, security="tls")) is Patron.known
    server.close()
