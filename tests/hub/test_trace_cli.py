"""`mykey-hub trace …`, as an operator and as a machine see it."""

import argparse
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from hub import redriving, trace_cli, waterfall
from hub.clock import SystemClock
from hub.database import Database
from hub.errors import OutsideDownError, PermanentError
from hub.ids import uuid7
from hub.keys import Keys
from hub.process import HubProcess
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.tracing import TRACE, Trace, span_of
from hub.transaction import Transaction
from hub.waterfall import NoSuchTraceError
from schemas.message import Envelope
from schemas.points import PostingAnswer
from tests.hub.parts import Probe, at_work, credit, credited, fake, key_in, notice, posted, say
from tests.running import SECRET_KEY
from tests.waiting import wait_until

DEADLINE_S: Final = 5.0
TOO_MANY: Final = 13
"""Points of a notice that cannot be sent."""


async def _post(messages: Sequence[Any], tx: Transaction) -> list[PostingAnswer]:
    for about, message in enumerate(messages):
        tx.emit(credited(message.points, message.citizen_id), about)
    return [posted(message.points) for message in messages]


async def _notify(messages: Sequence[Any], tx: Transaction) -> None:
    for about, message in enumerate(messages):
        tx.send(notice(message.points, message.citizen_id), about)


async def _is_down(_: Envelope) -> None:
    raise OutsideDownError("no connection", destination="smtp")


async def _send(envelope: Envelope) -> None:
    if getattr(envelope.message, "points", 0) == TOO_MANY:
        raise PermanentError("the mail server [bold]refuses[/bold] us")


@asynccontextmanager
async def town(probe: Probe) -> AsyncIterator[HubProcess]:
    """A ledger that posts and a mailer that notifies, in one process."""
    components = (fake("partner"), fake("ledger", _post), fake("mail", _notify, outside=_send))
    async with at_work(probe.url, *components) as process:
        yield process


async def ask(process: HubProcess, trace: Trace, *numbers: int) -> None:
    """A request of this trace, and all that comes of it."""
    TRACE.set(trace)
    await process.bus.call_many([credit(n, key_in(n)) for n in numbers], DEADLINE_S)
    TRACE.set(None)
    await process.drained(DEADLINE_S)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    trace_cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["trace", *arguments])


async def spoken(probe: Probe, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints."""
    settings = Settings.model_validate({"database_url": probe.url, "secret_key": SECRET_KEY})
    capsys.readouterr()
    assert await trace_cli.run(options(*arguments), settings) == 0
    return capsys.readouterr().out


async def told(probe: Probe, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(await spoken(probe, capsys, *arguments, "--json"))


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


async def test_one_requests_way(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    request = Trace.begun_by(uuid7())
    async with town(probe) as process:
        await ask(process, request, 1)

    found = await told(probe, capsys, str(request.trace_id))
    event, mail = found["steps"]
    assert found["begun_by"] == "request"
    assert (event["type"], event["source"], event["cause"]) == ("jp.mykey.points.credited.v1", "ledger", None)
    assert (mail["type"], mail["source"], mail["cause"]) == ("jp.mykey.notices.send.v1", "mail", event["id"])
    (heard,), (sent,) = event["hops"], mail["hops"]
    assert (heard["receiver"], heard["state"], heard["done_at"]) == ("mail", "done", mail["said_at"])
    assert not heard["is_measured"]
    assert (sent["receiver"], sent["is_measured"]) == ("mail.outside", True)
    assert 0 <= sent["took_s"] < DEADLINE_S
    assert event["said_at"] <= mail["said_at"] <= sent["done_at"]


async def test_what_is_parked_and_what_waits_is_told_with_its_reason(
    probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    request = Trace.begun_by(uuid7())
    async with town(probe) as process:
        await ask(process, request, 1, TOO_MANY)
        await wait_until(lambda: probe.deliveries("parked"))
    async with at_work(probe.url, fake("partner"), fake("ledger", _post)) as process:
        TRACE.set(request)
        await process.bus.call(credit(2), DEADLINE_S)
        TRACE.set(None)

    hops = [hop for step in (await told(probe, capsys, request.trace_id.hex))["steps"] for hop in step["hops"]]
    assert [hop["state"] for hop in hops].count("parked") == 1
    assert [hop["state"] for hop in hops].count("due") == 1
    text = await spoken(probe, capsys, request.trace_id.hex)
    assert "1 due, 1 parked" in text
    assert "PermanentError: the mail server [bold]refuses[/bold] us" in text, "what others say is no markup"
    assert "waiting for" in text


async def test_what_is_held_is_told_with_what_it_waits_for(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    mail = fake("mail", outside=_is_down, destination_of=lambda _: "smtp")
    async with at_work(probe.url, fake("partner"), mail) as process:
        (said,) = await say(process, notice(1))
        await wait_until(lambda: probe.deliveries("held"))

    (step,) = (await told(probe, capsys, str(said)))["steps"]
    assert [(hop["state"], hop["destination"], hop["attempts"]) for hop in step["hops"]] == [("held", "smtp", 0)]
    text = await spoken(probe, capsys, str(said))
    assert "1 held" in text
    assert "held until smtp is back" in text


async def test_an_edited_copy_stands_beside_what_it_replaced(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    async def refuse(*_: object) -> None:
        raise PermanentError("no such citizen")

    async with at_work(probe.url, fake("partner"), fake("mail", refuse)) as process:
        (original,) = await say(process, credited(1))
        await wait_until(lambda: probe.deliveries("parked"))
    owner = Database("operations", probe.url, 1, SystemClock(), Keys(SECRET_KEY.encode()).sealer(PURPOSE))
    await owner.open()
    async with owner.transaction() as tx:
        copy_id, _ = await redriving.replace(tx, original, credited(2))
    await owner.close()

    steps = (await told(probe, capsys, str(original)))["steps"]
    assert [(step["id"], [(hop["receiver"], hop["state"]) for hop in step["hops"]]) for step in steps] == [
        (str(original), [("mail", "replaced")]),
        (str(copy_id), [("mail", "due")]),
    ]
    assert "an edited copy went there instead" in await spoken(probe, capsys, str(original))


async def test_it_is_found_by_any_of_its_names(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    request_id = uuid7()
    caller = Trace(uuid4(), span_of(request_id))
    async with town(probe) as process:
        await ask(process, caller, 1, 2)

    (event, *_) = (await told(probe, capsys, caller.trace_id.hex))["steps"]
    names = [str(caller.trace_id), caller.traceparent, event["id"], "c1", str(request_id)]
    assert {(await told(probe, capsys, name))["trace_id"] for name in names} == {caller.trace_id.hex}
    assert (await told(probe, capsys, "c1"))["begun_by"] == "caller"


async def test_a_key_of_several_traces_names_the_first_and_the_others(
    probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at_work(probe.url, fake("partner")) as process:
        first, second = await say(process, credited(1)) + await say(process, credited(1))

    found = await told(probe, capsys, "c1")
    assert (found["correlation_id"], found["others"]) == (str(first), [str(second)])
    assert found["begun_by"] == "message"
    assert f"also in trace {second}" in await spoken(probe, capsys, "c1")


async def test_of_too_many_messages_those_about_the_same_are_told(
    probe: Probe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waterfall, "STEPS_LIMIT", 5)
    request, citizen = Trace.begun_by(uuid7()), uuid4()
    async with at_work(probe.url, fake("partner")) as process:
        TRACE.set(request)
        await say(process, *(credited(n) for n in range(10)), credited(77, citizen), credited(78, citizen))
        TRACE.set(None)

    whole = await told(probe, capsys, request.trace_id.hex)
    assert whole["is_cut"]
    assert len(whole["steps"]) == 5
    found = await told(probe, capsys, "c77")
    assert [step["business_key"] for step in found["steps"]] == ["c77", "c78"]
    assert (found["subject"], found["is_cut"]) == (str(citizen), False)
    text = await spoken(probe, capsys, request.trace_id.hex, "--limit", "2")
    assert text.count("PointsCredited") == 2
    assert "more messages" in text


@pytest.mark.parametrize("name", ["no-such-key", str(UUID(int=5)), "01a228cb-2cdf-7c48-89ef-d613b868f987"])
async def test_what_is_not_there_is_said_so(probe: Probe, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(NoSuchTraceError, match=name):
        await spoken(probe, capsys, name)


@pytest.mark.parametrize(
    "seconds,text",
    [(0.0384, "38 ms"), (1.239, "1.24 s"), (303, "5 min 3 s"), (7_800, "2 h 10 min"), (3.5 * 86_400, "3 d 12 h")],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert trace_cli.in_words(timedelta(seconds=seconds)) == text
