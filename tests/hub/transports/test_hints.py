"""Hints between processes: heard at once, few, and never needed."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Final
from uuid import uuid4

import asyncpg
import pytest

from hub.transports.wakes import CHANNEL, NAMES_LIMIT, WakeChannel
from tests.hub.parts import Probe, credited, fake, say
from tests.hub.transports.conftest import Ready, Start, owns_all
from tests.waiting import wait_until

CUT_LISTENERS: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'mykey-hub-wake'
"""


async def _heard(probe: Probe) -> "tuple[asyncpg.Connection[asyncpg.Record], list[str]]":
    listener = (await probe.again()).connection
    heard: list[str] = []
    await listener.add_listener(CHANNEL, lambda *given: heard.extend(str(given[3]).split()))
    return listener, heard


async def test_another_process_hears_at_once(
    start: Start, probe: Probe, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks by itself once in a minute, which nobody waits for here."""
    monkeypatch.setattr("hub.transports.receiver.POLL_S", 60.0)
    async with start(fake("registry")) as sender, start(fake("mail")):
        await ready()
        for n in range(1, 11):
            await say(sender, credited(n))
            await wait_until(partial(_count, probe, n))


async def test_one_process_tells_nobody_of_what_it_does_itself(start: Start, probe: Probe) -> None:
    listener, heard = await _heard(probe)
    async with start(fake("registry"), fake("mail")) as process:
        await wait_until(lambda: owns_all(probe))
        for n in range(1, 11):
            await say(process, credited(n))
        await process.drained(5)
    await listener.close()

    assert "mail" not in heard


@pytest.mark.parametrize("transport", ["postgres"], indirect=True)  # the other one needs no hints while it has a broker
async def test_hints_are_gathered(start: Start, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.transports.wakes.PAUSE_S", 0.2)
    listener, heard = await _heard(probe)
    async with start(fake("registry")) as sender:
        for n in range(1, 201):
            await say(sender, credited(n))
        await wait_until(lambda: heard)
    await listener.close()

    assert 1 <= heard.count("mail") < 200


async def test_without_hints_polling_carries_everything(start: Start, probe: Probe) -> None:
    async with start(fake("registry")) as sender, start(fake("mail")) as process:
        await wait_until(lambda: owns_all(probe))
        await probe.connection.execute(CUT_LISTENERS)
        await say(sender, *(credited(n) for n in range(1, 21)))
        await process.drained(10)

    assert sorted(await probe.numbers()) == list(range(1, 21))


async def test_a_channel_that_was_cut_is_opened_again(probe: Probe) -> None:
    heard: list[str] = []
    channel = WakeChannel(probe.url, heard.extend)
    task = asyncio.create_task(channel.run())
    await wait_until(lambda: _says(channel, heard, "one"))
    await probe.connection.execute(CUT_LISTENERS)
    await wait_until(lambda: _says(channel, heard, "two"), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_more_names_than_fit_are_told_in_turns(probe: Probe) -> None:
    heard: set[str] = set()
    channel = WakeChannel(probe.url, heard.update)
    names = {f"reply.{uuid4()}" for _ in range(3 * NAMES_LIMIT)}
    for name in names:
        channel.tell(name)
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(channel.run())
        stack.callback(task.cancel)
        await wait_until(lambda: names <= heard)
    await asyncio.gather(task, return_exceptions=True)


def _says(channel: WakeChannel, heard: list[str], name: str) -> bool:
    channel.tell(name)
    return name in heard


async def _count(probe: Probe, count: int) -> bool:
    return len(await probe.numbers()) == count
