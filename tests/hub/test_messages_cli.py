"""`mykey-hub messages …`, as an operator and as a machine see it."""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub import messages_cli
from hub.errors import PermanentError
from hub.settings import Settings
from hub.transaction import Transaction
from schemas.citizens import CheckMyKeyId
from tests.hub.parts import Probe, at_work, credited, fake, key_in, say
from tests.running import SECRET_KEY
from tests.waiting import wait_until


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    messages_cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["messages", *arguments])


async def spoken(probe: Probe, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints."""
    settings = Settings.model_validate({"database_url": probe.url, "secret_key": SECRET_KEY})
    capsys.readouterr()
    assert await messages_cli.run(options(*arguments), settings) == 0
    return capsys.readouterr().out


async def told(probe: Probe, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(await spoken(probe, capsys, *arguments, "--json"))


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
async def parked(probe: Probe) -> list[UUID]:
    """Three events, the first of them parked, and a personal command that is due; their ids."""

    async def handle(messages: Sequence[Any], _tx: Transaction) -> None:
        if any(message.points == 1 for message in messages):
            raise PermanentError("closed [bold]for[/bold] good")

    personal = CheckMyKeyId(enrolment_id=uuid4(), mykey_id="KLMN0123")
    async with at_work(probe.url, fake("partner"), fake("mail", handle)) as process:
        ids = await say(process, *(credited(n, key_in(n)) for n in (1, 2, 3)), personal)
        await wait_until(lambda: probe.deliveries("parked"))
    return ids


async def test_counts(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    assert parked
    found = {one["receiver"]: one for one in await told(probe, capsys, "counts")}

    assert found["mail"]["parked"] == 1
    assert found["registry"]["due"] == 1
    assert "registry" in await spoken(probe, capsys, "counts")


async def test_nothing_waits_is_said_so(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing waits" in await spoken(probe, capsys, "counts")
    assert "nothing is parked" in await spoken(probe, capsys, "parked")
    assert await told(probe, capsys, "parked") == []


async def test_list_and_show(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    found = await told(probe, capsys, "list", "--key", "c2")
    assert [one["id"] for one in found] == [str(parked[1])]
    assert found[0]["data"]["points"] == 2

    way = await told(probe, capsys, "show", str(parked[0]))
    assert way["waiting"][0]["state"] == "parked"
    text = await spoken(probe, capsys, "show", str(parked[0]))
    assert "closed [bold]for[/bold] good" in text, "what others say is no markup"


async def test_personal_bodies_are_not_shown(
    probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    text = await spoken(probe, capsys, "show", str(parked[3])) + await spoken(probe, capsys, "list")

    assert "KLMN0123" not in text
    assert "not shown" in text
    assert (await told(probe, capsys, "show", str(parked[3])))["message"]["data"] is None


async def test_parked_note_and_redrive(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    (group,) = await told(probe, capsys, "parked")
    (delivery,) = await told(probe, capsys, "parked", "--fingerprint", group["fingerprint"])
    assert delivery["message_ids"] == [str(parked[0])]

    await spoken(probe, capsys, "note", str(delivery["id"]), "asked the city")
    assert "asked the city" in await spoken(probe, capsys, "parked")

    assert await told(probe, capsys, "redrive", "--fingerprint", group["fingerprint"]) == {"deliveries": 1}
    assert await told(probe, capsys, "redrive", "--all") == {"deliveries": 0}
    async with at_work(probe.url, fake("mail")) as process:
        await process.drained(5)
    assert 1 in await probe.numbers()


async def test_redrive_one_and_scheduled(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    assert parked
    (delivery,) = await probe.deliveries("parked")

    assert "there are none" in await spoken(probe, capsys, "scheduled")
    assert "1 deliveries" in await spoken(probe, capsys, "redrive", "--delivery", str(delivery["id"]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["redrive"],
        ["redrive", "--all", "--fingerprint", "x"],
        ["show", "not-an-id"],
        ["list", "--since", "yesterday"],
        ["nothing"],
    ],
)
def test_a_wrong_call_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options(*arguments)

    assert ended.value.code == 2


def test_a_time_is_in_japan_unless_it_says_otherwise() -> None:
    midnight = datetime(2017, 10, 1, 15, tzinfo=UTC)

    assert options("list", "--since", "2017-10-02").since == midnight
    assert options("list", "--since", "2017-10-01T15:00Z").since == midnight
