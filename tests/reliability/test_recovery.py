"""F35: back to a moment in the middle of the load, by the commands of docs/operations.md; mails are not sent again."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import pytest

from hub import migrations
from hub.clock import AdjustableClock
from hub.embedded_postgres import EmbeddedPostgres
from hub.postgres_programs import find_programs
from hub.process import HubProcess
from schemas.audit import VerifyLedger
from schemas.points import PostingAnswer, PostingCommand
from schemas.values import LANES
from tests.conftest import all_sources
from tests.connectors.mail import posting
from tests.connectors.mail.conftest import mailbox_process
from tests.connectors.mail.mailbox import Mailbox
from tests.reliability.operations import QUICK, backup_folder, content, run_commands, section
from tests.running import running
from tests.waiting import wait_until
from tests.workers.ledger.world import DEADLINE_S, FOREVER, START, TOWN, citizen, credit, use

__all__ = ["mailbox_process"]  # a fixture

CITIZENS: Final = {number: citizen(number, number) for number in range(1, 9)}
BASE_AFTER, MIDWAY_AFTER, END_AFTER = 30, 90, 180
"""How many answers there are when the base backup begins, at the moment that is gone back to, and at the end."""
LOAD_LIMIT_S: Final = 30.0
MAILS_LIMIT: Final = 10_000
HOLD_THE_BOOKS: Final = "SELECT FROM ledger.head ORDER BY partition FOR UPDATE"
CHECKPOINTS: Final = "ledger.checkpoint"
NOTICES: Final = "SELECT notice_id FROM mail.notice WHERE state = 'sent'"
POSTED: Final = "SELECT count(*) FROM ledger.outcome WHERE code IS NULL"
LAST_WAL: Final = "SELECT pg_walfile_name(pg_switch_wal())"
IS_ARCHIVED: Final = "SELECT last_archived_wal >= $1 FROM pg_stat_archiver"


class Midway(NamedTuple):
    """The ledger's tables at the named moment, and what had been answered."""

    ledger: dict[str, list[bytes]]
    answered: frozenset[str]


class Load:
    """Each citizen gets points, and uses some of them, one command after another, until `ended`."""

    def __init__(self, process: HubProcess) -> None:
        self.answers: dict[str, PostingAnswer] = {}
        self.commands: dict[int, list[PostingCommand]] = {number: [] for number in CITIZENS}
        self.ended = False
        self._process = process

    async def run(self) -> None:
        """All citizens at once."""
        await asyncio.gather(*(self._work(number) for number in CITIZENS))

    async def _work(self, number: int) -> None:
        for k in count(1):
            if self.ended:
                return
            name = f"{number}-{k}"
            command: PostingCommand = credit(name, CITIZENS[number], 10 + k, FOREVER)
            if k % 3 == 0:
                command = use(name, CITIZENS[number], k)
            self.commands[number].append(command)
            self.answers[name] = await self._process.bus.call(command, DEADLINE_S)

    async def has_come_to(self, answers: int) -> None:
        """Wait for so many answers."""
        await wait_until(lambda: len(self.answers) >= answers, LOAD_LIMIT_S)


@pytest.fixture
def backup() -> Iterator[Path]:
    with backup_folder() as folder:
        yield folder


@pytest.fixture
def mailbox(mailbox_process: Mailbox) -> Mailbox:
    asyncio.run(mailbox_process.forget())
    return mailbox_process


@asynccontextmanager
async def hubs(url: str, mailbox: Mailbox) -> AsyncIterator[HubProcess]:
    """Two processes with the ledger, one of them with the mail connector; yields that one."""
    async with (
        running(url, "ledger", clock=AdjustableClock(START)),
        posting.mailing(url, mailbox, "ledger", clock=AdjustableClock(START)) as process,
    ):
        yield process


async def settle(process: HubProcess) -> None:
    """A scheme, and citizens who want to hear of their points."""
    scheme = posting.scheme().model_copy(update={"lg_code": TOWN, "expiry_rule": "none"})
    citizens = (posting.citizen(number, citizen_id=one) for number, one in CITIZENS.items())
    await posting.say(process, scheme, *citizens)
    await process.drained(DEADLINE_S)


async def ledger_of(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[bytes]]:
    """The books: what is written under the heads' locks, as checkpoints are not."""
    tables = await content(connection)
    return {name: rows for name, rows in tables.items() if name.startswith("ledger.") and name != CHECKPOINTS}


async def ledger_at(url: str) -> dict[str, list[bytes]]:
    """The same, of a database that nobody works on."""
    connection = await asyncpg.connect(url)
    try:
        return await ledger_of(connection)
    finally:
        await connection.close()


async def name_the_moment(url: str, load: Load) -> Midway:
    """By the page's command; the books are held meanwhile, so that it is known what is in them."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(HOLD_THE_BOOKS)
            midway = Midway(await ledger_of(connection), frozenset(load.answers))
            _, name_it, *_ = section("A base backup with a WAL archive")
            await asyncio.to_thread(run_commands, name_it, MYKEY_DATABASE_URL=url)
        return midway
    finally:
        connection.terminate()


async def load_to_the_end(url: str, backup: Path, mailbox: Mailbox) -> tuple[Load, Midway]:
    """Load; a base backup, then the moment, then more load; in the end everybody has heard of everything."""
    async with hubs(url, mailbox) as process, asyncio.TaskGroup() as group:
        await settle(process)
        load = Load(process)
        loading = group.create_task(load.run())
        await load.has_come_to(BASE_AFTER)
        take_base, *_ = section("A base backup with a WAL archive")
        await asyncio.to_thread(run_commands, take_base, BACKUP=backup, MYKEY_DATABASE_URL=url)
        await load.has_come_to(len(load.answers) + MIDWAY_AFTER - BASE_AFTER)
        midway = await name_the_moment(url, load)
        await load.has_come_to(len(load.answers) + END_AFTER - MIDWAY_AFTER)
        load.ended = True
        await loading
        await process.drained(DEADLINE_S)
    return load, midway


async def lose_the_server(server: EmbeddedPostgres) -> None:
    """At once, after its WAL was archived."""
    connection = await asyncpg.connect(server.url)
    last = await connection.fetchval(LAST_WAL)
    await wait_until(lambda: connection.fetchval(IS_ARCHIVED, last), LOAD_LIMIT_S)
    connection.terminate()
    stop = ["stop", f"--pgdata={server.data_path}", "--mode=immediate"]
    await asyncio.to_thread(find_programs().run, "pg_ctl", stop, timeout_s=LOAD_LIMIT_S)
    await asyncio.to_thread(server.stop)


def recover(server: EmbeddedPostgres, backup: Path) -> str:
    """By the page's commands; returns the new server's URL."""
    *_, restore, _ = section("A base backup with a WAL archive")
    account = find_programs().account
    names = {"SERVER": server.log_path.parent, "ACCOUNT": account.name if account else getpass.getuser()}
    run_commands(restore, BACKUP=backup, **names)
    return server.start()


async def message_ids(mailbox: Mailbox) -> list[UUID]:
    """The notices that arrived, by their Message-ID, one a mail."""
    ids = [dict(mail["headers"])["Message-ID"] for mail in await mailbox.mails(MAILS_LIMIT)]
    return [UUID(one.removeprefix("<").partition("@")[0]) for one in ids]


async def ask_again(process: HubProcess, load: Load, midway: Midway) -> None:
    """Everything, each citizen's in its order: answered as it was, and what was lost is posted anew."""

    async def ask(number: int) -> None:
        for command in load.commands[number]:
            answer = await process.bus.call(command, DEADLINE_S)
            assert answer.replayed == (command.command_id in posted)
            assert answer.model_copy(update={"replayed": False}) == load.answers[command.command_id]

    posted = {row.split(b"\t")[1].decode() for row in midway.ledger["ledger.outcome"]}
    assert midway.answered <= posted < load.answers.keys()
    await asyncio.gather(*(ask(number) for number in CITIZENS))


async def go_on(url: str, mailbox: Mailbox, load: Load, midway: Midway) -> None:
    """The restored hub at work: nothing is posted twice, no mail that was recorded as sent is sent again."""
    connection = await asyncpg.connect(url)
    recorded = {row["notice_id"] for row in await connection.fetch(NOTICES)}
    sent_before = set(await message_ids(mailbox))
    await mailbox.forget()
    async with hubs(url, mailbox) as process:
        await process.drained(DEADLINE_S)
        await ask_again(process, load, midway)
        await process.drained(DEADLINE_S)
        for partition in range(LANES):
            assert (await process.bus.call(VerifyLedger(partition=partition), DEADLINE_S)).fault is None
    assert await connection.fetchval(POSTED) == len(load.answers)
    sent_after = await message_ids(mailbox)
    told = {row["notice_id"] for row in await connection.fetch(NOTICES)}
    await connection.close()
    assert recorded
    assert told == sent_before, "the same grants were told under other Message-IDs"
    assert sorted(sent_after) == sorted(told - recorded)


@pytest.mark.timeout(180)
def test_recovery_to_a_moment_under_load(mailbox: Mailbox, backup: Path) -> None:
    (archive,) = section("A base backup with a WAL archive", "")
    lost, recovered = EmbeddedPostgres.temporary(QUICK), EmbeddedPostgres.temporary(QUICK)
    with ExitStack() as stack:
        for server in (lost, recovered):
            stack.callback(server.stop)
        (lost.log_path.parent / "local.conf").write_text(archive.replace("<BACKUP>", str(backup)))
        asyncio.run(migrations.migrate(lost.start(), all_sources()))
        load, midway = asyncio.run(load_to_the_end(lost.url, backup, mailbox))
        asyncio.run(lose_the_server(lost))

        url = recover(recovered, backup)
        assert asyncio.run(ledger_at(url)) == midway.ledger
        *_, verify = section("A base backup with a WAL archive")
        assert "everything adds up" in run_commands(verify, MYKEY_DATABASE_URL=url)
        asyncio.run(go_on(url, mailbox, load, midway))
