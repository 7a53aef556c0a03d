"""`mykey-hub console correct` and what belongs to it, over the door and on the database itself."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from connectors.operations.acts import Role
from connectors.operations.corrections import NotByNameError
from connectors.operations.remote_desk import TOKEN_VARIABLE, RefusedError
from tests.connectors.operations.desk import Desk
from tests.connectors.operations.test_console import spoken, told
from tests.connectors.operations.wrong_posting import GIVEN, ME, begun, wrongly_posted
from tests.hub.parts import Probe
from tests.workers.ledger.world import STORE


@pytest.fixture
async def desk(probe: Probe) -> AsyncIterator[Desk]:
    async with wrongly_posted(probe.url) as made:
        yield made


async def test_by_the_console(
    probe: Probe, desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    url = ("--url", desk.url.removesuffix("/api/operations"))
    correct = ("correct", str(STORE), "u", "--reason", "typed twice")
    assert "no correction is asked for" in await spoken(probe, capsys, "corrections")
    monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[Role.viewer])
    with pytest.raises(RefusedError, match="needs the role `operator`"):
        await spoken(probe, capsys, *url, *correct)
    monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[Role.operator])
    text = await spoken(probe, capsys, *url, *correct)
    assert all(word in text for word in ("typed twice", str(ME), "use", "30", "approve-correction"))
    (waiting,) = await told(probe, capsys, "corrections")
    assert waiting == (await told(probe, capsys, *url, "corrections"))[0]
    correction_id = waiting["correction_id"]
    with pytest.raises(RefusedError, match="needs the role `supervisor`"):
        await spoken(probe, capsys, *url, "approve-correction", correction_id)

    monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[Role.supervisor])
    approved = await spoken(probe, capsys, *url, "approve-correction", correction_id, "--reason", "seen")
    assert "30 points went the other way" in approved
    (closed,) = await told(probe, capsys, *url, "corrections", "--all")
    assert closed["status"] == "posted"
    assert await told(probe, capsys, "corrections", "--all", "--before", correction_id) == []


async def test_the_console_says_why_the_ledger_refused_and_that_a_request_was_rejected(
    probe: Probe, desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    url = ("--url", desk.url.removesuffix("/api/operations"))
    monkeypatch.setenv(TOKEN_VARIABLE, desk.tokens[Role.supervisor])
    spent, rejected = await begun(desk, GIVEN), await begun(desk)

    text = await spoken(probe, capsys, *url, "approve-correction", spent, status=1)
    assert "insufficient_points" in text
    text = await spoken(probe, capsys, *url, "reject-correction", rejected, "--reason", "it was right")
    assert "nothing is corrected" in text
    with pytest.raises(RefusedError, match="decided already"):
        await spoken(probe, capsys, *url, "reject-correction", rejected, "--reason", "again")


async def test_an_account_of_the_server_is_not_a_person_who_asks_or_decides(
    probe: Probe, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    correction_id = await begun(desk)
    for call in (
        ("correct", str(UUID(int=7)), "u", "--reason", "x"),
        ("approve-correction", correction_id),
        ("reject-correction", correction_id, "--reason", "x"),
    ):
        with pytest.raises(NotByNameError):
            await spoken(probe, capsys, *call)
    assert (await desk.get("/corrections"))["items"][0]["state"] == "asked"
