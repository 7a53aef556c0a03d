"""The mail server stopped and started again; outages of others, and its own, told to the operators by mail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

import asyncpg
import pytest

from connectors.library.lines import LibraryLoginError
from connectors.mail.smtp import Server, try_limit_s
from demo.ports import free_port
from hub.errors import NoAnswerError, OutsideDownError, OutsideError
from hub.process import HubProcess
from schemas.outages import OutageBegan, OutageEnded
from tests.connectors.mail.mailbox import HOST, Mailbox
from tests.connectors.mail.posting import SENDER, citizen, citizen_id, credited, mailing, rows, say, scheme, settled
from tests.peers.mailbox.catcher import Catcher, Hooks
from tests.peers.mailbox.faults import Faults
from tests.peers.mailbox.kept import Kept
from tests.waiting import wait_until

OPERATORS: Final = "operators@mail.example"
HELD: Final = """
SELECT coalesce(sum(cardinality(message_ids)), 0)::int AS held, max(attempts) AS attempts FROM hub.delivery
WHERE receiver = 'mail.outside' AND state = 'held'
"""
ADDRESSES_KNOWN: Final = "SELECT count(*) AS known FROM mail.recipient"
LEFT: Final = "SELECT count(*) FROM hub.delivery WHERE receiver LIKE 'mail%'"
OUTAGE: Final = "SELECT id, probes, ended_at FROM hub.outage"
CITIZENS: Final = 30
BEGAN_AT: Final = datetime(2026, 1, 10, 3, 0, 12, tzinfo=UTC)
ENDED_AT: Final = datetime(2026, 1, 10, 3, 2, 17, tzinfo=UTC)


class MailServer:
    """A mail server that may be stopped and started, on a port of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.hooks = Hooks(Kept(), Faults())
        self._server: asyncio.Server | None = None
        self._open: list[Catcher] = []

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.get_running_loop().create_server(self._serve, HOST, self.port)

    def stop(self) -> None:
        """Listen no more, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for one in self._open:
            if one.transport is not None:
                one.cut()
        self._open.clear()

    def _serve(self) -> Catcher:
        self._open.append(Catcher(self.hooks, "mailbox.invalid"))
        return self._open[-1]

    def mailbox(self) -> Mailbox:
        """For `mailing`, which wants to know the port."""
        return Mailbox(self.port, 0)

    def arrived(self) -> int:
        """How many mails there are."""
        return self.hooks.kept.mails

    def message_ids(self) -> list[str]:
        """Of all mails, the newest first."""
        mails = cast("list[dict[str, Any]]", self.hooks.kept.last(1_000))
        return [dict(mail["headers"])["Message-ID"] for mail in mails]


@asynccontextmanager
async def two_mailers(database_url: str, server: MailServer) -> AsyncIterator[tuple[HubProcess, HubProcess]]:
    """Two processes with the mail connector."""
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(mailing(database_url, server.mailbox(), operator_mail_to=OPERATORS))
            for _ in range(2)
        ]
        yield first, second


async def test_while_the_mail_server_is_down_mails_wait_and_come_once_when_it_is_back(database_url: str) -> None:
    server = MailServer()
    await server.start()
    async with two_mailers(database_url, server) as (first, _):
        await say(first, scheme(), *(citizen(number) for number in range(CITIZENS)))
        await wait_until(lambda: _knows_all(first))
        await say(first, credited(citizen_id(0)))
        await wait_until(lambda: server.arrived() == 1)
        server.stop()
        await say(first, *(credited(citizen_id(number)) for number in range(CITIZENS)))
        await wait_until(lambda: _holds(first, CITIZENS), 15)
        assert await rows(first, HELD) == [{"held": CITIZENS, "attempts": 0}]
        assert len(await rows(first, OUTAGE)) == 1
        await server.start()
        await wait_until(lambda: server.arrived() == CITIZENS + 2, 30)
        await wait_until(lambda: _nothing_is_left(database_url))
        (outage,) = await rows(first, OUTAGE)
    server.stop()

    assert outage["ended_at"] is not None
    assert outage["probes"] >= 1
    ids = server.message_ids()
    assert len(set(ids)) == CITIZENS + 2
    assert [one for one in ids if one.startswith("<outage.")] == [f"<outage.{outage['id']}.ended@mykey.example>"]


async def _knows_all(process: HubProcess) -> bool:
    return await rows(process, ADDRESSES_KNOWN) == [{"known": CITIZENS}]


async def _holds(process: HubProcess, count: int) -> bool:
    return bool((await rows(process, HELD))[0]["held"] == count)


async def _nothing_is_left(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return bool(await connection.fetchval(LEFT) == 0)
    finally:
        await connection.close()


def began(destination: str = "library", receiver: str = "library.outside") -> OutageBegan:
    return OutageBegan(
        outage_id=7, receiver=receiver, destination=destination, error="OutsideDownError", began_at=BEGAN_AT
    )


def ended(destination: str = "library", receiver: str = "library.outside") -> OutageEnded:
    return OutageEnded(**began(destination, receiver).model_dump(), ended_at=ENDED_AT, probes=3)


async def test_an_outage_is_mailed_once_when_it_begins_and_once_when_it_is_over(
    database_url: str, mailbox: Mailbox
) -> None:
    async with mailing(database_url, mailbox, operator_mail_to=OPERATORS) as process:
        await say(process, began())
        await settled(process)
        await say(process, ended())
        await settled(process)
    over, beginning = await mailbox.mails()

    assert (beginning["envelope_from"], beginning["envelope_to"]) == (SENDER, OPERATORS)
    assert dict(beginning["headers"])["Subject"] == "【障害】library に接続できません / down: library"
    assert dict(beginning["headers"])["Message-ID"] == "<outage.7.began@mykey.example>"
    assert dict(beginning["headers"])["X-MyKey-Trace"].startswith("00-")
    assert "発生日時　　2026-01-10 12:00:12 JST" in beginning["text"]
    assert "library does not answer library.outside since 2026-01-10 12:00:12 JST" in beginning["text"]
    assert dict(over["headers"])["Subject"] == "【復旧】library に接続できました / back: library"
    assert dict(over["headers"])["Message-ID"] == "<outage.7.ended@mykey.example>"
    assert "2026-01-10 12:02:17 JST（2分5秒）" in over["text"]
    assert "for 2 min 5 s (OutsideDownError)" in over["text"]


def test_the_page_that_the_mail_names_says_of_every_error_what_to_mend() -> None:
    """Of some the hub's own settings are to be mended: the mail cannot say that there is nothing to do."""
    words = (files("connectors.mail") / "texts" / "outage_began.txt").read_text("utf-8")
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
    assert words.count("docs/operations.md") == words.count("When another side is down") == 2
    section = page.partition("\n## When another side is down\n")[2].partition("\n## ")[0]
    errors: tuple[type[OutsideError], ...] = (OutsideDownError, NoAnswerError, LibraryLoginError)
    for error in (*errors, *OutsideDownError.__subclasses__()):
        assert f"| `{error.__name__}` |" in section


async def test_the_mail_server_s_own_outage_is_mailed_when_it_is_over(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox, operator_mail_to=OPERATORS) as process:
        await say(process, began("smtp", "mail.outside"))
        await settled(process)
        await say(process, ended("smtp", "mail.outside"))
        await settled(process)
    (over,) = await mailbox.mails()

    assert dict(over["headers"])["Message-ID"] == "<outage.7.ended@mykey.example>"


async def test_without_an_address_no_outage_is_mailed(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, began(), ended())
        await settled(process)
    assert await mailbox.mails() == []
    assert await _nothing_is_left(database_url)


async def test_a_mail_server_that_answers_nothing_is_an_outage_too(database_url: str, mailbox: Mailbox) -> None:
    await mailbox.misbehave(delay_s=30.0)
    async with mailing(
        database_url, mailbox, smtp_timeout_s=0.2, outage_no_answer_limit=2, outage_probe_limit_s=0.2
    ) as process:
        await say(process, scheme(), citizen(1), *(credited(citizen_id(1), points=n) for n in range(1, 9)))
        await wait_until(lambda: _is_probed(process, 2), 30)
        held = await wait_until(lambda: _held(process))
        assert held["attempts"] <= 1, "probes cost none"
        await mailbox.misbehave()
        await wait_until(lambda: _arrived(mailbox, 7), 40)


async def test_a_mail_server_that_answers_slowly_is_back_with_the_first_mail_it_takes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each answer may take is what a probe may take, too: else it is cut off when the mail is handed over."""
    monkeypatch.setattr("hub.transports.outside.PROBE_TIMEOUT_S", 0.5)
    server = MailServer()
    async with mailing(database_url, server.mailbox(), smtp_timeout_s=2.0, outage_probe_limit_s=0.2) as process:
        await say(process, scheme(), *(citizen(number) for number in range(CITIZENS)))
        await wait_until(lambda: _knows_all(process))
        await say(process, *(credited(citizen_id(number)) for number in range(CITIZENS)))
        await wait_until(lambda: _holds(process, CITIZENS))
        server.hooks.faults.delay_s = 0.8
        await server.start()
        await wait_until(lambda: server.hooks.kept.mails >= CITIZENS, 30)
        await wait_until(lambda: _nothing_is_left(database_url))
        (outage,) = await rows(process, OUTAGE)
    server.stop()
    assert outage["ended_at"] is not None
    assert len(server.message_ids()) == len(set(server.message_ids())) == CITIZENS


@pytest.mark.parametrize("timeout_s", [2.0, 60.0, 600.0])
def test_a_try_may_take_as_long_as_all_answers_to_a_mail_together(timeout_s: float) -> None:
    relay = Server("mail.example", 25, "starttls", "mykey.example", timeout_s, "user", "password")
    connecting = ("connection", "greeting", "EHLO", "STARTTLS", "TLS", "EHLO", "AUTH", "user", "password", "EHLO")
    mail = ("MAIL", "RCPT", "DATA", "content")
    assert try_limit_s(relay) > timeout_s * len(connecting + mail)


async def _is_probed(process: HubProcess, times: int) -> bool:
    return any(row["probes"] >= times for row in await rows(process, OUTAGE))


async def _held(process: HubProcess) -> dict[str, Any]:
    """What is held, as soon as something is; a mail that went unanswered before has one attempt behind it."""
    (row,) = await rows(process, HELD)
    return row if row["held"] else {}


async def _arrived(mailbox: Mailbox, distinct: int) -> bool:
    return bool((await mailbox.stats())["distinct"] >= distinct)
