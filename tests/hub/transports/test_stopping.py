"""What a process leaves behind when it ends, also where something fails or never ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from hub import process as process_module
from hub.component import Installed
from hub.errors import TransientError
from hub.transaction import Transaction
from tests.hub.parts import Probe, at_work, credited, fake, key_in, notice, say
from tests.hub.transports.conftest import Start
from tests.waiting import wait_until

LIMIT_S: Final = 0.5
CONNECTED: Final = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'mykey_mail'"


def closing(made: Installed, close: Callable[[], Awaitable[None]]) -> Installed:
    """The component, with something to be done as it closes."""
    return replace(made, factory=lambda context: replace(made.factory(context), close=close))


async def _fail() -> None:
    raise TransientError("the database is away")


async def test_a_component_that_fails_as_it_closes_leaves_no_loop_and_no_connection(start: Start) -> None:
    with pytest.raises(TransientError, match="away"):
        async with start(closing(fake("mail"), _fail)) as process:
            database = process.database_of("mail")
    with pytest.raises(TransientError):
        async with database.connection():
            pass


async def test_a_component_that_fails_as_it_closes_keeps_no_other_from_closing(start: Start) -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("registry")

    for components in (
        (closing(fake("mail"), _fail), closing(fake("registry"), close)),
        (closing(fake("registry"), close), closing(fake("mail"), _fail)),
    ):
        with pytest.raises(TransientError, match="away"):
            async with start(*components):
                pass
    assert closed == ["registry", "registry"]


async def test_what_never_ends_is_ended_at_the_limit_and_its_lanes_go_to_others_at_once(
    start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "STOP_LIMIT_S", LIMIT_S)
    began: list[str] = []

    async def inside(_messages: Sequence[Any], _tx: Transaction) -> None:
        began.append("inside")
        await asyncio.Event().wait()

    async def outside(_envelope: object) -> None:
        began.append("outside")
        await asyncio.Event().wait()

    async with start(fake("registry"), fake("mail", inside, outside=outside)) as process:
        await say(process, credited(1, key_in(1)), notice(2, key_in(2)))
        await wait_until(lambda: sorted(began) == ["inside", "outside"])
    assert await probe.owners("mail") == await probe.owners("mail.outside") == {}
    assert [row["attempts"] for row in await probe.deliveries("due")] == [0, 0]


async def test_a_process_that_cannot_start_leaves_no_connection(probe: Probe, tmp_path: Path) -> None:
    broker = {"transport": "rabbitmq", "amqp_url": "amqps://a:b@127.0.0.1:1/", "amqp_ca_file": tmp_path / "none.pem"}
    with pytest.raises(FileNotFoundError):
        async with at_work(probe.url, fake("mail"), **broker):
            pass
    assert await wait_until(lambda: _are_none(probe))


async def _are_none(probe: Probe) -> bool:
    return not await probe.connection.fetchval(CONNECTED)
