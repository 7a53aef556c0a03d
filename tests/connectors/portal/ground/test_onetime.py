"""One-time form keys on a real database: who waits, who acts, what an act that was cut off leaves."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel

from connectors.portal.ground import onetime
from connectors.portal.ground.onetime import CLAIM, KEPT_FOR, OPEN_FOR, FormKeys, RefusedError
from hub import forgetting
from hub.clock import AdjustableClock
from hub.errors import DeadlineExceededError, TransientError
from hub.keys import Keys
from hub.web.problems import ProblemError
from tests.running import SECRET_KEY, running
from tests.workers.registry.asking import dump_of, rows_of

OWNER = UUID(int=1)
OTHER = UUID(int=2)
ACT = "try"


class Text(BaseModel):
    text: str


@pytest.fixture
async def form_keys(database_url: str, clock: AdjustableClock) -> AsyncIterator[FormKeys]:
    async with running(database_url, "portal", clock=clock) as process:
        sealer = Keys(SECRET_KEY.encode()).sealer("portal.form")
        yield FormKeys(process.database_of("portal"), sealer, clock)


async def test_it_acts_once_and_tells_the_same_ever_after(form_keys: FormKeys, database_url: str) -> None:
    key = await form_keys.keep(OWNER, ACT, Text(text="to be confirmed"))
    assert (await form_keys.kept(OWNER, ACT, key, Text)).value == Text(text="to be confirmed")
    done: list[int] = []

    async def do() -> Text:
        done.append(1)
        await asyncio.sleep(0)
        return Text(text="secret outcome")

    await asyncio.gather(*(form_keys.act(OWNER, ACT, key, do) for _ in range(5)))
    await form_keys.act(OWNER, ACT, key, do)
    assert done == [1]
    receipt = await form_keys.receipt(OWNER, ACT, key, Text)
    assert receipt.outcome == Text(text="secret outcome")
    assert re.fullmatch(r"171002-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", receipt.number)
    assert (await form_keys.kept(OWNER, ACT, key, Text)).is_done
    assert b"confirmed" not in (dump := await dump_of(database_url, "portal"))
    assert b"secret" not in dump


async def test_nobody_finds_what_is_anothers(form_keys: FormKeys) -> None:
    key = await form_keys.keep(OWNER, ACT, Text(text="x"))
    for owner, act, other in ((OTHER, ACT, key), (OWNER, "another", key), (OWNER, ACT, uuid4())):
        with pytest.raises(ProblemError):
            await form_keys.kept(owner, act, other, Text)
        with pytest.raises(ProblemError):
            await form_keys.act(owner, act, other, never)
        with pytest.raises(ProblemError):
            await form_keys.receipt(owner, act, other, Text)
    with pytest.raises(ProblemError):
        await form_keys.receipt(OWNER, ACT, key, Text)


async def test_what_was_refused_can_be_confirmed_again(form_keys: FormKeys) -> None:
    key = await form_keys.keep(OWNER, ACT, Text(text="x"))

    async def refused() -> Text:
        raise RefusedError("insufficient_points")

    with pytest.raises(RefusedError):
        await form_keys.act(OWNER, ACT, key, refused)
    await form_keys.act(OWNER, ACT, key, outcome)
    assert (await form_keys.receipt(OWNER, ACT, key, Text)).outcome == Text(text="done")


async def test_an_outcome_that_cannot_be_kept_does_not_say_that_nothing_was_done(
    form_keys: FormKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await form_keys.keep(OWNER, ACT, Text(text="x"))
    monkeypatch.setattr(form_keys, "_done", AsyncMock(side_effect=TransientError("away")))
    with pytest.raises(DeadlineExceededError):
        await form_keys.act(OWNER, ACT, key, outcome)


async def test_an_act_that_was_cut_off_is_done_by_the_next_who_asks(
    form_keys: FormKeys, database_url: str, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await form_keys.keep(OWNER, ACT, Text(text="x"))
    cut_off = asyncio.create_task(form_keys.act(OWNER, ACT, key, forever))
    async with asyncio.timeout(5):
        while not await rows_of(database_url, "SELECT FROM portal.form WHERE begun_at IS NOT NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    monkeypatch.setattr(onetime, "WAIT_LIMIT_S", 0.1)
    with pytest.raises(ProblemError) as told:
        await form_keys.act(OWNER, ACT, key, never)
    assert told.value.status == 409
    clock.move_to(clock.now() + CLAIM + timedelta(seconds=1))
    await form_keys.act(OWNER, ACT, key, outcome)
    assert (await form_keys.receipt(OWNER, ACT, key, Text)).outcome == Text(text="done")
    cut_off.cancel()
    with suppress(asyncio.CancelledError):
        await cut_off
    assert (await form_keys.receipt(OWNER, ACT, key, Text)).outcome == Text(text="done")


async def test_what_is_old_is_forgotten(form_keys: FormKeys, database_url: str, clock: AdjustableClock) -> None:
    await done(form_keys)
    clock.move_to(clock.now() + KEPT_FOR - timedelta(days=1))
    young = await done(form_keys)
    clock.move_to(clock.now() + timedelta(days=2))
    await form_keys.forget()
    assert [row["form_key"] for row in await rows_of(database_url, "SELECT form_key FROM portal.form")] == [young]


async def test_what_nobody_has_confirmed_is_forgotten_soon(
    form_keys: FormKeys, database_url: str, clock: AdjustableClock
) -> None:
    acted_on = await done(form_keys)
    await form_keys.keep(OWNER, ACT, Text(text="left"))
    clock.move_to(clock.now() + OPEN_FOR - timedelta(hours=1))
    young = await form_keys.keep(OWNER, ACT, Text(text="young"))
    clock.move_to(clock.now() + timedelta(hours=2))
    await form_keys.forget()
    rows = await rows_of(database_url, "SELECT form_key FROM portal.form")
    assert {row["form_key"] for row in rows} == {acted_on, young}


async def test_more_than_a_piece_is_forgotten_at_once(
    form_keys: FormKeys, database_url: str, clock: AdjustableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "PIECE_ROWS", 2)
    for _ in range(5):
        await form_keys.keep(OWNER, ACT, Text(text="left"))
    clock.move_to(clock.now() + KEPT_FOR + timedelta(days=1))
    await form_keys.forget()
    assert await rows_of(database_url, "SELECT FROM portal.form") == []


async def done(form_keys: FormKeys) -> UUID:
    key = await form_keys.keep(OWNER, ACT, Text(text="to be done"))
    await form_keys.act(OWNER, ACT, key, outcome)
    return key


async def outcome() -> Text:
    return Text(text="done")


async def never() -> Text:
    raise AssertionError("not to be done")


async def forever() -> Text:
    await asyncio.Event().wait()
    return Text(text="never")
