"""`mykey-hub console …`, as an operator and as a machine see it: on the database itself, and over the door."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from rich.console import Console

from connectors.operations.acts import Role
from connectors.operations.console import COMMANDS, BadCallError, NotEditedError, run
from connectors.operations.copies import BadBodyError
from connectors.operations.desk import desk_of
from connectors.operations.options import parser
from connectors.operations.remote_desk import TOKEN_VARIABLE, NoTokenError, OpenLineError, RefusedError
from connectors.operations.screen import drawn, look
from connectors.operations.work import StateConflictError
from hub import printing
from hub.accounts import account_name
from hub.errors import TransientError
from hub.settings import Settings
from hub.store import NoSuchMessageError
from tests.connectors.operations.desk import ACTS, SECRET, desk_at, hold, park
from tests.hub.parts import Probe, at_work, credited, fake
from tests.running import SECRET_KEY, running

EDIT: Final = """
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
data = json.loads(path.read_text(encoding="utf-8"))
path.write_text(json.dumps(data | json.loads({change!r})), encoding="utf-8")
"""
MANY_ACTS: Final = """
INSERT INTO operations.act (act_id, operator, role, via, kind, targets, reason, result)
SELECT gen_random_uuid(), 'sato', 'operator', 'api', 'pause', '{component:mail}', $2, '{}'
FROM generate_series(1, $1::int)
"""


def settings(probe: Probe) -> Settings:
    return Settings.model_validate({"database_url": probe.url, "secret_key": SECRET_KEY})


async def spoken(probe: Probe, capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What the command prints."""
    options = parser(COMMANDS).parse_args(arguments)
    capsys.readouterr()
    console = printing.console(quiet=options.json)
    assert await run(options, settings(probe), console) == status
    return capsys.readouterr().out


async def told(probe: Probe, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:  # noqa: ANN401 - any JSON
    text = await spoken(probe, capsys, *arguments, "--json")
    return json.loads(text.splitlines()[-1])  # a process beside it logs to the same place


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
async def parked(probe: Probe) -> list[UUID]:
    """Three events for mail, the first of them parked, and a personal command that nobody has done; their ids."""
    return await park(probe)


async def test_what_flows(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    assert parked
    flow = await told(probe, capsys, "flow")
    receivers = {one["receiver"]: one for component in flow["components"] for one in component["receivers"]}

    assert receivers["mail"]["parked"] == 1
    assert receivers["registry"]["due"] == 1
    assert {"ledger", "operations"} <= {one["component"] for one in flow["components"]}
    assert "registry" in await spoken(probe, capsys)


@pytest.mark.parametrize("columns", ["80", ""])
async def test_names_and_ids_are_whole_at_80_columns_and_in_a_pipe(
    columns: str,
    probe: Probe,
    parked: list[UUID],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await spoken(probe, capsys, "pause", "clockwork", "--reason", "a look")
    monkeypatch.setenv("COLUMNS", columns)
    flow = (await spoken(probe, capsys, "flow")).splitlines()
    for name in ("clockwork", "operations", "registry"):
        assert any(line.startswith(name) for line in flow)
    assert any("messages" in line.split() for line in flow)
    assert any("retry" in line.split() and "held" in line.split() for line in flow), "it is a table"

    messages = (await spoken(probe, capsys, "messages")).split()
    assert {str(one) for one in parked} <= set(messages)
    assert str(parked[0]) in (await spoken(probe, capsys, "deliveries", "parked")).split()
    assert str(parked[0]) in (await spoken(probe, capsys, "show", str(parked[0]))).split()


async def test_nothing_is_said_so(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing is parked" in await spoken(probe, capsys, "parked")
    assert "there are none" in await spoken(probe, capsys, "deliveries", "scheduled")
    assert "no other side is or was down" in await spoken(probe, capsys, "outages")
    assert "no such messages" in await spoken(probe, capsys, "messages")
    assert "nobody has done anything" in await spoken(probe, capsys, "acts")
    assert await told(probe, capsys, "parked") == []


async def test_messages_and_show(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    found = await told(probe, capsys, "messages", "--key", "c2")
    assert [one["id"] for one in found] == [str(parked[1])]
    assert found[0]["data"]["points"] == 2
    older = await told(probe, capsys, "messages", "--before", str(parked[1]))
    assert [one["id"] for one in older] == [str(parked[0])]

    way = await told(probe, capsys, "show", str(parked[0]))
    assert way["waiting"][0]["state"] == "parked"
    text = await spoken(probe, capsys, "show", str(parked[0]))
    assert "closed [bold]for[/bold] good" in text, "what others say is no markup"
    with pytest.raises(NoSuchMessageError):
        await spoken(probe, capsys, "show", str(UUID(int=7)))


async def test_personal_data_is_shown_to_whoever_says_why(
    probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    masked = await spoken(probe, capsys, "show", str(parked[3])) + await spoken(probe, capsys, "messages", "--json")
    assert SECRET not in masked
    assert "not shown: personal data" in masked

    assert SECRET in await spoken(probe, capsys, "show", str(parked[3]), "--reveal", "the citizen asked")
    (act,) = await told(probe, capsys, "acts")
    assert (act["kind"], act["via"], act["reason"]) == ("reveal", "terminal", "the citizen asked")


async def test_notes_and_redrive(probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = await told(probe, capsys, "parked")
    fingerprint = item["group"]["fingerprint"]
    detail = await told(probe, capsys, "parked", fingerprint)
    assert detail["deliveries"][0]["message_ids"] == [str(parked[0])]

    await spoken(probe, capsys, "note", "--fingerprint", fingerprint, "asked the city")
    await spoken(probe, capsys, "note", "--delivery", str(detail["deliveries"][0]["id"]), "this one is urgent")
    assert "asked the city" in await spoken(probe, capsys, "parked")
    assert "this one is urgent" in await spoken(probe, capsys, "deliveries", "parked")

    redriven = await told(probe, capsys, "redrive", "--fingerprint", fingerprint)
    assert (redriven["done"], redriven["finished"]) == (1, True)
    assert "0 deliveries" in await spoken(probe, capsys, "redrive", "--all")
    async with at_work(probe.url, fake("mail")) as process:
        await process.drained(5)
    assert 1 in await probe.numbers()
    assert [act["kind"] for act in await probe.connection.fetch(ACTS)] == ["note", "note", "redrive", "redrive"]


async def test_a_large_redrive_is_driven_by_the_terminal_where_no_process_runs(
    probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parked
    monkeypatch.setattr("hub.redriving.BATCH_LIMIT", 10)
    await probe.connection.execute(
        "INSERT INTO hub.delivery (receiver, lane, state, message_ids, reason, fingerprint)"
        " SELECT 'mail', 0, 'parked', ARRAY[gen_random_uuid()], 'x', 'abcdefabcdef' FROM generate_series(1, 35)"
    )

    assert "36 deliveries" in await spoken(probe, capsys, "redrive", "--all", "--reason", "mended")
    assert await probe.deliveries("parked") == []


async def test_the_audit_names_the_account_and_not_what_the_environment_says(
    probe: Probe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody.else")
    await spoken(probe, capsys, "pause", "mail", "--reason", "new server")

    (act,) = await told(probe, capsys, "acts")
    assert act["operator"] == account_name(os.getuid())


async def test_a_copy_out_of_the_editor(
    probe: Probe,
    parked: list[UUID],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def edits(change: str) -> None:
        script = tmp_path / "edit.py"
        script.write_text(EDIT.format(change=change), encoding="utf-8")
        monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

    copy = ("copy", str(parked[0]), "--reason", "wrong number")
    edits("{}")
    with pytest.raises(NotEditedError):
        await spoken(probe, capsys, *copy)
    edits('{"points": "many"}')
    with pytest.raises(BadBodyError, match="/points"):
        await spoken(probe, capsys, *copy)
    edits('{"points": 7}')
    copied = await told(probe, capsys, *copy)

    assert copied["receivers"] == ["mail"]
    (act,) = await told(probe, capsys, "acts")
    assert act["targets"] == [f"message:{parked[0]}", f"message:{copied['copy_id']}"]
    assert act["result"] == {"receivers": ["mail"], "changed": ["points"]}
    assert "replaced" in await spoken(probe, capsys, "show", copied["copy_id"])


async def test_a_copy_out_of_a_file(
    probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = tmp_path / "body.json"
    body.write_text(credited(8).model_dump_json(), encoding="utf-8")
    assert "instead of" in await spoken(probe, capsys, "copy", str(parked[0]), "--reason", "typo", "--file", str(body))
    with pytest.raises(BadCallError):
        await spoken(probe, capsys, "copy", str(parked[0]), "--reason", "typo", "--file", str(tmp_path / "none"))


async def test_pause_and_resume(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is paused" in await spoken(probe, capsys, "pause", "mail", "--reason", "new server")
    with pytest.raises(StateConflictError):
        await spoken(probe, capsys, "pause", "mail", "--reason", "again")
    with pytest.raises(BadCallError):
        await spoken(probe, capsys, "pause", "ledger", "--reason", " ")
    assert "paused" in await spoken(probe, capsys, "flow")
    assert "goes on" in await spoken(probe, capsys, "resume", "mail")


async def test_a_library_is_tried_by_its_issuer(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(probe.url, "library"):
        text = await spoken(probe, capsys, "test", "library", "--issuer", "130001", status=1)
    assert "no site is registered" in text
    with pytest.raises(BadCallError, match="--issuer"):
        await spoken(probe, capsys, "test", "library")

    (act,) = await told(probe, capsys, "acts")
    assert act["targets"] == ["component:library", "issuer:130001"]


async def test_a_connection_is_tried_by_the_process_that_has_it(
    probe: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(probe.url, "mail", smtp_port=1), running(probe.url, "partner", "checkout", "registry"):
        assert "ConnectError" in await spoken(probe, capsys, "test", "mail", "--reason", "no mails", status=1)
        for component in ("partner", "checkout"):
            text = await spoken(probe, capsys, "test", component, "--party", str(UUID(int=7)), status=1)
            assert "no such party" in text
    with pytest.raises(BadCallError, match="--party"):
        await spoken(probe, capsys, "test", "checkout")

    _by_checkout, by_partner, by_mail = await told(probe, capsys, "acts")
    assert by_mail["result"] == by_partner["result"] == {"ok": False}
    assert by_partner["targets"] == ["component:partner", f"party:{UUID(int=7)}"]


async def test_over_the_door_it_is_the_same(
    probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(probe)
    looks = (
        ("flow",), ("parked",), ("messages", "--limit", "2"), ("show", str(parked[0])), ("deliveries", "parked"),
        ("deliveries", "held"), ("outages",),
        ("operators", "list"),
    )  # fmt: skip
    async with desk_at(probe.url) as desk:
        url = desk.url.removesuffix("/api/operations")
        monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[Role.operator])
        for arguments in looks:
            here, there = await told(probe, capsys, *arguments), await told(probe, capsys, *arguments, "--url", url)
            if arguments == ("flow",):
                here, there = ([one["component"] for one in flow["components"]] for flow in (here, there))
            assert here == there

        await spoken(probe, capsys, "--url", url, "pause", "mail", "--reason", "new server")
        assert "1 deliveries" in await spoken(probe, capsys, "--url", url, "redrive", "--all", "--reason", "mended")
        with pytest.raises(RefusedError, match="needs the role `supervisor`"):
            await spoken(probe, capsys, "--url", url, "show", str(parked[3]), "--reveal", "curious")
        (act, *_) = await told(probe, capsys, "--url", url, "acts")

    assert (act["operator"], act["via"], act["kind"]) == ("operator", "api", "redrive")


async def test_a_long_answer_comes_whole_over_the_door(
    probe: Probe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk_at(probe.url) as desk:
        monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[Role.operator])
        await probe.connection.execute(MANY_ACTS, 100, "a long reason " * 300)
        url = desk.url.removesuffix("/api/operations")
        assert len(await told(probe, capsys, "--url", url, "acts", "--limit", "100")) == 100


async def test_a_token_is_needed_and_goes_over_no_open_line(
    probe: Probe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(NoTokenError):
        await spoken(probe, capsys, "--url", "https://hub.example.jp", "flow")
    monkeypatch.setenv(TOKEN_VARIABLE, "mko_x")
    with pytest.raises(OpenLineError):
        await spoken(probe, capsys, "--url", "http://hub.example.jp", "flow")
    with pytest.raises(TransientError, match="does not answer"):
        await spoken(probe, capsys, "--url", "http://127.0.0.1:1", "flow")


async def test_a_new_operators_token_opens_the_door_until_it_is_revoked(
    probe: Probe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await told(probe, capsys, "operators", "add", "sato", "viewer"))["token"]
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    async with desk_at(probe.url) as desk:
        url = desk.url.removesuffix("/api/operations")
        assert "sato" in await spoken(probe, capsys, "--url", url, "operators", "list")
        await spoken(probe, capsys, "operators", "revoke", "sato", "--reason", "has left")
        with pytest.raises(RefusedError, match="console operators add"):
            await spoken(probe, capsys, "--url", url, "operators", "list")


async def test_who_may_not_do_something_is_told_which_role_may(
    probe: Probe,
    parked: list[UUID],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for_operators = (
        ("pause", "mail", "--reason", "x"), ("resume", "mail"), ("redrive", "--all"),
        ("note", "--fingerprint", "abcdefabcdef", "x"), ("replay", str(UUID(int=7)), "--undelivered"), ("test", "mail"),
    )  # fmt: skip
    body = tmp_path / "body.json"
    body.write_text("{}", encoding="utf-8")
    for_supervisors = (
        ("show", str(parked[3]), "--reveal", "x"), ("operators", "add", "sato", "viewer"),
        ("operators", "revoke", "viewer", "--reason", "x"),
        ("copy", str(parked[0]), "--reason", "x", "--file", str(body)),
    )  # fmt: skip
    async with desk_at(probe.url) as desk:
        url = desk.url.removesuffix("/api/operations")
        for role, needed, calls in (
            (Role.viewer, Role.operator, for_operators),
            (Role.operator, Role.supervisor, for_supervisors),
        ):
            for call in calls:
                monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[role])
                with pytest.raises(RefusedError, match=f"needs the role `{needed}`"):
                    await spoken(probe, capsys, "--url", url, *call)


async def test_the_live_screen_shows_what_needs_somebody(
    probe: Probe, parked: list[UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    assert parked
    await spoken(probe, capsys, "pause", "mail", "--reason", "new server")
    async with desk_of(settings(probe), None) as desk:
        seen = await look(desk)
        Console(width=200).print(drawn(seen, desk.place, "TransientError: away"))
    text = capsys.readouterr().out

    assert "Outages" not in text, "only where there are some"
    for word in ("Flow", "Parked", "Paused", "new server", "closed [bold]for[/bold] good", "away", "credited.v1"):
        assert word in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["redrive"],
        ["redrive", "--all", "--fingerprint", "x"],
        ["show", "not-an-id"],
        ["messages", "--since", "yesterday"],
        ["pause", "mail"],
        ["copy", str(UUID(int=7))],
        ["operators", "add", "sato", "king"],
        ["nothing"],
    ],
)
def test_a_wrong_call_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser(COMMANDS).parse_args(arguments)

    assert ended.value.code == 2


def test_a_time_is_in_japan_unless_it_says_otherwise() -> None:
    midnight = datetime(2017, 10, 1, 15, tzinfo=UTC)

    for said in ("2017-10-02", "2017-10-01T15:00Z"):
        assert parser(COMMANDS).parse_args(["messages", "--since", said]).since == midnight


def test_what_is_for_machines_may_be_said_before_and_behind() -> None:
    for arguments in (["--json", "flow"], ["flow", "--json"]):
        assert parser(COMMANDS).parse_args(arguments).json is True
    assert parser(COMMANDS).parse_args(["flow"]).json is False
