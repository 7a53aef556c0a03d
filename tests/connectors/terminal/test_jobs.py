"""Jobs: asked anywhere, done over the one socket there is, consumed once; and what is told of terminals and cards."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, NoReturn
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiohttp import ClientSession, WSCloseCode
from structlog.testing import capture_logs

from connectors.terminal import uplink_store
from connectors.terminal.jobs import Jobs
from connectors.terminal.uplink_store import CARDS_LIMIT, UplinkStore
from hub.database import Database
from hub.keys import Keys
from schemas.card_jobs import (
    Ask,
    CardAnswer,
    DropAnswer,
    DropMergeFiles,
    HandNumberOn,
    JobAnswer,
    NumberAnswer,
    Presence,
    PresenceOf,
    ReadCard,
    ReadNumber,
    ReleaseCard,
)
from schemas.problems import RefusalCode
from schemas.uplink import (
    CardEvent,
    CardJob,
    CardResult,
    Closing,
    Job,
    MergeFile,
    NotifyJob,
    NotifyResult,
    NumberJob,
    NumberResult,
    Outcome,
    ReaderState,
    ReleaseJob,
)
from tests.connectors.terminal.agents import (
    CERTIFICATE,
    DEADLINE_S,
    SIGNATURE,
    Agent,
    Hub,
    Terminal,
    enrolled,
    hubs,
    read_card,
    signed,
)
from tests.running import SECRET_KEY
from tests.waiting import quick_enough, wait_until

REMOVED = "SELECT body, id FROM hub.message WHERE type = 'jp.mykey.card-jobs.card-removed.v1' ORDER BY id"


class Town(NamedTuple):
    """Two terminal processes and one that only asks, a terminal, and a look behind the curtain."""

    first: Hub
    second: Hub
    elsewhere: Hub
    terminal: Terminal
    session: ClientSession
    owner: "asyncpg.Connection[asyncpg.Record]"

    async def agent(self, hub: Hub | None = None) -> Agent:
        """Connected to the second process, unless told otherwise."""
        return await Agent.dial(self.session, hub or self.second, self.terminal)

    async def presence(self) -> Presence:
        """As the first process sees it."""
        query = PresenceOf(terminal_ids=[self.terminal.terminal_id])
        return (await self.first.bus.call(query, 5)).terminals[self.terminal.terminal_id]

    async def removed(self) -> list[UUID]:
        """The insertions that were told to be over."""
        return [UUID(json.loads(row["body"])["insertion"]) for row in await self.owner.fetch(REMOVED)]


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    hosted = ["registry", "terminal"], ["terminal"], ["partner"]
    owner = await asyncpg.connect(database_url)
    async with hubs(database_url, *hosted) as (first, second, elsewhere), ClientSession() as session:
        (terminal,) = await enrolled(first.bus, first.url)
        yield Town(first, second, elsewhere, terminal, session, owner)
    await owner.close()


async def _asked(hub: Hub, ask: ReadCard) -> CardAnswer:
    return await hub.bus.call(ask, ask.deadline_s)


@pytest.mark.parametrize("asker", ["first", "second", "elsewhere"])
async def test_a_job_is_done_over_the_socket_whoever_asks(town: Town, asker: str) -> None:
    agent = await town.agent()
    ask = read_card(town.terminal, address_change=True, limit_s=20)
    asking = asyncio.create_task(_asked(getattr(town, asker), ask))
    job = await agent.card_job()
    assert (job.purpose, job.how, job.again, job.address_change) == (ask.purpose, "pin", None, True)
    assert 19 < job.limit_s <= 20
    result = signed(job, signature_serial="0badcafe")
    await agent.say(result)
    answer = await asking
    assert answer.is_done
    assert answer.proof is not None
    assert answer.proof.model_dump() == {
        "job_id": job.job_id,
        "purpose": ask.purpose,
        "terminal_id": town.terminal.terminal_id,
        "hub_origin": town.first.url,
        "nonce": job.nonce,
        "how": "pin",
        "certificate": CERTIFICATE,
        "signature": SIGNATURE,
        "insertion": result.insertion,
        "signature_serial": "0badcafe",
    }


async def test_over_the_broker_too(database_url: str, amqp_url: str) -> None:
    over = {"transport": "rabbitmq", "amqp_url": amqp_url}
    hosted = ["registry", "terminal"], ["terminal"], ["partner"]
    async with ClientSession() as session, hubs(database_url, *hosted, **over) as (first, second, elsewhere):
        (terminal,) = await enrolled(first.bus, first.url)
        for hub in (first, second):
            agent = await Agent.dial(session, hub, terminal)
            asking = asyncio.create_task(_asked(elsewhere, read_card(terminal)))
            await agent.say(signed(await agent.card_job()))
            assert (await asking).is_done


async def test_numbers_are_read_and_handed_on(town: Town) -> None:
    agent = await town.agent()
    terminal_id, operation_id = town.terminal.terminal_id, uuid4()
    read = ReadNumber(terminal_id=terminal_id, operation_id=operation_id)
    reading = asyncio.create_task(town.first.bus.call(read, 5))
    job = await agent.job()
    assert isinstance(job, NumberJob)
    await agent.say(NumberResult(job_id=job.job_id, outcome=Outcome.done, number="A0123B", source="felica"))
    assert await reading == NumberAnswer(outcome=Outcome.done, number="A0123B", source="felica")
    hand_on = HandNumberOn(
        terminal_id=terminal_id, operation_id=operation_id, number="A0123B", method="keyboard", prefix="%", enter=False
    )
    handing = asyncio.create_task(town.first.bus.call(hand_on, 5))
    job = await agent.job()
    assert isinstance(job, NotifyJob)
    assert (job.number, job.method, job.prefix, job.enter) == ("A0123B", "keyboard", "%", False)
    await agent.say(NotifyResult(job_id=job.job_id, outcome=Outcome.not_handed_on))
    assert await handing == JobAnswer(outcome=Outcome.not_handed_on)


@pytest.mark.parametrize(
    "changes,outcome",
    [
        ({"outcome": Outcome.wrong_pin, "tries_left": 2, "certificate": None, "signature": None}, Outcome.wrong_pin),
        ({"signature": None}, Outcome.reader_failed),
        ({"certificate": None}, Outcome.reader_failed),
        ({"insertion": UUID(int=1)}, Outcome.removed),
    ],
    ids=["wrong PIN", "no signature", "no certificate", "another card"],
)
async def test_what_is_not_all_that_was_asked_for_is_no_proof(
    town: Town, changes: dict[str, Any], outcome: Outcome
) -> None:
    agent, again = await town.agent(), uuid4()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal, again=again)))
    await agent.say(signed(await agent.card_job(), **{"insertion": again, **changes}))
    assert await asking == CardAnswer(outcome=outcome, tries_left=changes.get("tries_left"))


@pytest.mark.parametrize(
    "asked,signature,said,outcome",
    [
        (True, SIGNATURE, Outcome.wrong_pin, Outcome.signature_password_wrong),
        (True, SIGNATURE, Outcome.blocked, Outcome.signature_password_blocked),
        (True, SIGNATURE, Outcome.removed, Outcome.removed),
        (True, None, Outcome.wrong_pin, Outcome.wrong_pin),
        (True, None, Outcome.blocked, Outcome.blocked),
        (False, SIGNATURE, Outcome.wrong_pin, Outcome.wrong_pin),
    ],
    ids=["password", "password blocked", "removed at the password", "PIN", "PIN blocked", "no password asked for"],
)
async def test_a_wrong_signature_password_is_no_wrong_pin(
    town: Town,
    asked: bool,  # noqa: FBT001 - a parameter
    signature: bytes | None,
    said: Outcome,
    outcome: Outcome,
) -> None:
    agent = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal, address_change=asked)))
    await agent.say(signed(await agent.card_job(), outcome=said, signature=signature, tries_left=2))
    assert await asking == CardAnswer(outcome=outcome, tries_left=2)


async def test_a_tap_proves_no_possession_and_needs_no_signature(town: Town) -> None:
    agent = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal, how="tap")))
    await agent.say(signed(await agent.card_job(), signature=None))
    proof = (await asking).proof
    assert proof is not None
    assert (proof.how, proof.signature) == ("tap", None)


async def test_a_result_is_taken_once_from_the_connection_that_was_asked(town: Town) -> None:
    agent = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    job = await agent.card_job()
    with capture_logs() as logged:
        refused = [
            signed(job, job_id=uuid4()),
            NumberResult(job_id=job.job_id, outcome=Outcome.done, number="1", source="typed"),
        ]
        for result in refused:
            await agent.say(result)
        await agent.say(signed(job, outcome=Outcome.blocked))
        await agent.say(signed(job))
        assert (await asking).outcome is Outcome.blocked
        await agent.say(signed(job))
        await wait_until(lambda: [one["event"] for one in logged].count("job_result_refused") == 4)
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    await agent.say(signed(await agent.card_job()))
    assert (await asking).is_done


async def test_another_terminal_cannot_answer(town: Town) -> None:
    other_terminal = (await enrolled(town.first.bus, town.first.url, 2))[0]
    agent, other = await town.agent(), await Agent.dial(town.session, town.second, other_terminal)
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    job = await agent.card_job()
    with capture_logs() as logged:
        await other.say(signed(job))
        await wait_until(lambda: "job_result_refused" in [one["event"] for one in logged])
    await agent.say(signed(job, outcome=Outcome.no_card))
    assert await asking == CardAnswer(outcome=Outcome.no_card)


async def test_a_job_is_good_for_as_long_as_it_says(town: Town) -> None:
    agent = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal, limit_s=2.0)))
    job = await agent.card_job()
    assert await asking == CardAnswer(outcome=Outcome.expired)
    with capture_logs() as logged:
        await agent.say(signed(job))
        await wait_until(lambda: "job_result_refused" in [one["event"] for one in logged])


async def test_who_is_not_connected_is_asked_nothing(town: Town) -> None:
    assert await _asked(town.first, read_card(town.terminal)) == CardAnswer(code=RefusalCode.terminal_away)
    agent = await town.agent()
    await agent.socket.close()

    async def is_away() -> bool:
        return not (await town.presence()).connected

    await wait_until(is_away)
    assert await _asked(town.elsewhere, read_card(town.terminal)) == CardAnswer(code=RefusalCode.terminal_away)


async def test_a_job_ends_with_its_connection(town: Town) -> None:
    agent = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    await agent.card_job()
    began_s = time.monotonic()
    agent.socket._response.close()
    assert await asking == CardAnswer(code=RefusalCode.terminal_gone)
    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("newer", ["first", "second"])
async def test_the_newer_connection_wins(town: Town, newer: str) -> None:
    old = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    job = await old.card_job()
    new = await town.agent(getattr(town, newer))
    assert await asking == CardAnswer(code=RefusalCode.terminal_gone)
    with capture_logs() as logged:
        await new.say(signed(job))
        await wait_until(lambda: "job_result_refused" in [one["event"] for one in logged])
    assert await old.closed() == Closing.replaced
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    await new.say(signed(await new.card_job()))
    assert (await asking).is_done
    assert (await town.presence()).connected


BURIED = "UPDATE terminal.presence SET connection_id = NULL, process_id = NULL, insertions = '{}'"


async def test_whose_process_was_taken_for_dead_may_come_back_at_once(town: Town) -> None:
    """`replaced` is for one whose terminal is connected anew: it stays away for a minute."""
    agent = await town.agent()
    await town.owner.execute(BURIED)
    await agent.say(CardEvent(what="inserted", insertion=uuid4()))
    assert await agent.closed() == WSCloseCode.GOING_AWAY


async def test_a_caller_that_goes_has_the_job_taken_back(town: Town) -> None:
    agent = await town.agent()
    asking = asyncio.create_task(_asked(town.first, read_card(town.terminal)))
    job = await agent.card_job()
    asking.cancel()
    assert isinstance(await agent.job(), ReleaseJob)
    with capture_logs() as logged:
        await agent.say(signed(job))
        await wait_until(lambda: "job_result_refused" in [one["event"] for one in logged])


async def test_a_card_is_released_for_the_operation_that_has_it(town: Town) -> None:
    agent = await town.agent()
    old, new = uuid4(), uuid4()
    for operation in (old, new):
        asking = asyncio.create_task(_asked(town.first, read_card(town.terminal, operation_id=operation)))
        await agent.say(signed(await agent.card_job()))
        await asking

    async def release(operation: UUID) -> JobAnswer:
        return await town.first.bus.call(ReleaseCard(terminal_id=town.terminal.terminal_id, operation_id=operation), 5)

    assert (await release(old)).is_done
    releasing = asyncio.create_task(release(new))
    job = await agent.job()
    assert isinstance(job, ReleaseJob)
    await agent.say(CardResult(job_id=job.job_id, outcome=Outcome.done))
    assert (await releasing).is_done
    await agent.socket.close()
    assert (await release(new)).is_done


@pytest.mark.parametrize("is_first_done", [False, True], ids=["under way", "done meanwhile"])
async def test_whom_the_agent_was_too_busy_for_has_no_card(town: Town, *, is_first_done: bool) -> None:
    agent = await town.agent()
    asks = [read_card(town.terminal, operation_id=uuid4()) for _ in range(3)]
    asking: list[asyncio.Task[CardAnswer]] = []
    jobs: list[CardJob] = []
    for ask in asks:
        asking.append(asyncio.create_task(_asked(town.first, ask)))
        jobs.append(await agent.card_job())
    if is_first_done:
        await agent.say(signed(jobs[0]))
        assert (await asking[0]).is_done
    for job, answer in zip(jobs[1:], asking[1:], strict=True):
        await agent.say(CardResult(job_id=job.job_id, outcome=Outcome.busy))
        assert (await answer).outcome is Outcome.busy

    async def release(ask: ReadCard) -> JobAnswer:
        released = ReleaseCard(terminal_id=ask.terminal_id, operation_id=ask.operation_id)
        return await town.first.bus.call(released, DEADLINE_S)

    for ask in asks[1:]:
        assert (await release(ask)).is_done, "nothing is asked of the agent for it"
    releasing = asyncio.create_task(release(asks[0]))
    job_of_release = await agent.job()
    assert isinstance(job_of_release, ReleaseJob)
    await agent.say(CardResult(job_id=job_of_release.job_id, outcome=Outcome.done))
    assert (await releasing).is_done
    asking[0].cancel()


async def test_a_process_that_ends_keeps_nobody_waiting(database_url: str) -> None:
    async with ClientSession() as session, hubs(database_url, ["registry", "terminal"]) as (kept,):
        (terminal,) = await enrolled(kept.bus, kept.url)
        agent = await Agent.dial(session, kept, terminal)
        began_s = time.monotonic()
        async with hubs(database_url, ["terminal"]) as (ending,):
            asking = asyncio.create_task(_asked(ending, read_card(terminal)))
            await agent.card_job()
        assert await asking == CardAnswer(code=RefusalCode.terminal_gone)
        assert time.monotonic() - began_s < 5


async def test_what_a_process_that_ends_has_asked_is_taken_back(database_url: str) -> None:
    async with ClientSession() as session, hubs(database_url, ["registry", "terminal"]) as (kept,):
        (terminal,) = await enrolled(kept.bus, kept.url)
        agent = await Agent.dial(session, kept, terminal)
        async with hubs(database_url, ["terminal"]) as (ending,):
            asking = asyncio.create_task(_asked(ending, read_card(terminal)))
            await agent.card_job()
        assert (await asking).code == RefusalCode.terminal_gone
        assert isinstance(await agent.job(), ReleaseJob)


async def test_an_ask_that_is_just_being_made_as_its_process_ends_is_taken_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await town.agent()
    jobs = _jobs(town)
    make = UplinkStore.ask

    async def made_too_late(store: UplinkStore, ask: Ask, job: Job) -> Job | None:
        made = await make(store, ask, job)
        jobs.stop()
        return made

    monkeypatch.setattr(UplinkStore, "ask", made_too_late)
    async with asyncio.timeout(DEADLINE_S):
        answer = await jobs.read_card(read_card(town.terminal))
    assert answer == CardAnswer(code=RefusalCode.terminal_gone)
    while not isinstance(await agent.job(), ReleaseJob):
        pass  # it may have been sent before it was taken back
    await jobs.close()


async def test_a_card_is_released_also_by_a_process_that_ends_and_nothing_is_done_that_was_not(town: Town) -> None:
    agent = await town.agent()
    ask = read_card(town.terminal)
    asking = asyncio.create_task(_asked(town.first, ask))
    await agent.say(signed(await agent.card_job()))
    await asking
    jobs = _jobs(town)
    jobs.stop()
    release = ReleaseCard(terminal_id=ask.terminal_id, operation_id=ask.operation_id)
    async with asyncio.timeout(DEADLINE_S):
        answer = await jobs.release(release)
    assert answer == JobAnswer(code=RefusalCode.terminal_gone)
    assert isinstance(await agent.job(), ReleaseJob)


async def test_a_process_that_ends_asks_nothing_and_does_not_say_that_the_merge_folder_is_missing(town: Town) -> None:
    await town.agent()
    jobs = _jobs(town)
    jobs.stop()
    drop = DropMergeFiles(
        terminal_id=town.terminal.terminal_id, operation_id=uuid4(), files=[MergeFile(name="merge-1.mpf", content=b"1")]
    )
    assert await jobs.drop_merge_files(drop) == DropAnswer(code=RefusalCode.terminal_gone)
    assert await jobs.read_card(read_card(town.terminal)) == CardAnswer(code=RefusalCode.terminal_gone)
    assert await town.owner.fetchval("SELECT count(*) FROM terminal.job") == 0


async def test_a_process_closes_in_order_while_the_database_is_away(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_database: Database) -> NoReturn:
        raise ConnectionRefusedError

    (close,) = (one.close for one in town.second.process.components if one.close is not None)
    with monkeypatch.context() as away, capture_logs() as logged:
        away.setattr(Database, "connection", refuse)
        await close()
    assert "uplink_unreachable" in [one["event"] for one in logged]


def _jobs(town: Town) -> Jobs:
    """As a third process has them."""
    sealer = Keys(SECRET_KEY.encode()).sealer("terminal.job")
    return Jobs(UplinkStore(town.first.process.database_of("terminal"), sealer, uuid4()), town.first.url)


async def test_the_terminals_of_a_dead_process_are_away(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await town.agent()
    monkeypatch.setattr(uplink_store, "DEAD_AFTER_S", 0.0)
    assert not (await town.presence()).connected
    assert await _asked(town.first, read_card(town.terminal)) == CardAnswer(code=RefusalCode.terminal_away)
    monkeypatch.undo()
    assert agent.socket.close_code in {None, 1001}


async def test_what_happens_at_the_reader_is_told_within_a_second(town: Town) -> None:
    agent, card, next_card = await town.agent(), uuid4(), uuid4()
    await agent.say(ReaderState(connected=True))

    async def removed() -> float:
        before = await town.removed()
        await agent.say(CardEvent(what="inserted", insertion=card))
        await _becomes(town.presence, lambda found: (found.has_reader, found.insertion) == (True, card))
        began_s = time.monotonic()
        await agent.say(CardEvent(what="removed", insertion=card))
        await _becomes(town.removed, lambda told: told == [*before, card])
        return time.monotonic() - began_s

    await quick_enough(1.0, removed)
    assert (await town.presence()).insertion is None
    for insertion in (next_card, card):
        await agent.say(CardEvent(what="inserted", insertion=insertion))
    await _becomes(town.presence, lambda found: found.insertion == card)
    assert await town.removed() == [card]
    await agent.socket.close()
    await _becomes(town.removed, lambda told: told[:1] == [card] and sorted(told[1:]) == sorted([next_card, card]))
    rows = await town.owner.fetch("SELECT what, insertion FROM terminal.card_event ORDER BY at")
    assert [tuple(row) for row in rows] == [
        ("inserted", card), ("removed", card), ("inserted", next_card), ("inserted", card),
    ]  # fmt: skip


async def test_a_removal_leaves_the_card_in_another_reader_alone(town: Town) -> None:
    agent, card, other = await town.agent(), uuid4(), uuid4()
    for insertion in (card, other):
        await agent.say(CardEvent(what="inserted", insertion=insertion))
    await agent.say(CardEvent(what="removed", insertion=other))
    await _becomes(town.removed, lambda told: told == [other])
    assert (await town.presence()).insertion == card
    await agent.say(CardEvent(what="removed", insertion=card))
    await _becomes(town.removed, lambda told: told == [other, card])
    assert (await town.presence()).insertion is None


async def test_no_more_cards_are_kept_than_anybody_has_readers(town: Town) -> None:
    agent, cards = await town.agent(), [uuid4() for _ in range(CARDS_LIMIT + 1)]
    for insertion in cards:
        await agent.say(CardEvent(what="inserted", insertion=insertion))
    await _becomes(town.removed, lambda told: told == cards[:1])


async def _becomes(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> None:
    async def condition() -> bool:
        return is_so(await ask())

    await wait_until(condition)


async def test_presence_is_told_from_anywhere(town: Town) -> None:
    agent = await town.agent()
    query = PresenceOf(terminal_ids=[town.terminal.terminal_id, "T232343000000"])
    found = (await town.elsewhere.bus.call(query, 5)).terminals
    assert list(found) == [town.terminal.terminal_id]
    presence = found[town.terminal.terminal_id]
    assert presence.connected
    assert presence.since == presence.seen
    assert not agent.socket.closed


async def test_nothing_a_person_has_is_left_in_the_tables(town: Town) -> None:
    agent = await town.agent()
    ask = HandNumberOn(
        terminal_id=town.terminal.terminal_id, operation_id=uuid4(), number="A99887766B", method="clipboard"
    )
    asking = asyncio.create_task(town.first.bus.call(ask, 5))
    job = await agent.job()
    await agent.say(NotifyResult(job_id=job.job_id, outcome=Outcome.done))
    await asking
    rows = await town.owner.fetch("SELECT job::text AS row FROM terminal.job AS job")
    assert len(rows) == 1
    assert b"A99887766B".hex() not in rows[0]["row"]
    await town.owner.execute("UPDATE terminal.job SET expires_at = '-infinity'")
    store = UplinkStore(town.second.process.database_of("terminal"), Keys(b"any").sealer("terminal.job"), uuid4())
    await store.sweep()
    assert await town.owner.fetchval("SELECT count(*) FROM terminal.job") == 0


async def test_an_ask_that_comes_again_is_the_same_job(town: Town) -> None:
    agent = await town.agent()
    ask = read_card(town.terminal, limit_s=20)
    first = asyncio.create_task(_asked(town.first, ask))
    job = await agent.card_job()
    again = [asyncio.create_task(_asked(hub, ask)) for hub in (town.second, town.second, town.elsewhere)]
    await agent.say(signed(job))
    answers = [*await asyncio.gather(first, *again), await _asked(town.first, ask)]
    assert [answer.proof.job_id for answer in answers if answer.proof is not None] == [job.job_id] * 5
    assert all(answer == answers[0] for answer in answers)
    release = ReleaseCard(terminal_id=ask.terminal_id, operation_id=ask.operation_id)
    releasing = asyncio.create_task(town.first.bus.call(release, 5))
    job_of_release = await agent.job()
    assert isinstance(job_of_release, ReleaseJob), "the terminal was asked for the card twice"
    await agent.say(CardResult(job_id=job_of_release.job_id, outcome=Outcome.done))
    assert (await releasing).is_done


async def test_another_terminal_has_nothing_of_an_ask(town: Town) -> None:
    other_terminal = (await enrolled(town.first.bus, town.first.url, 2))[0]
    agent, _ = await town.agent(), await Agent.dial(town.session, town.second, other_terminal)
    ask = read_card(town.terminal)
    asking = asyncio.create_task(_asked(town.first, ask))
    await agent.say(signed(await agent.card_job()))
    assert (await asking).is_done
    theirs = ask.model_copy(update={"terminal_id": other_terminal.terminal_id})
    assert await _asked(town.first, theirs) == CardAnswer(code=RefusalCode.terminal_away)
