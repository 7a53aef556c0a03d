"""What operators see of other sides that are down, and of a broker that cannot be reached."""

from typing import Any, Final

import pytest
from rich.console import Console

from connectors.operations.desk import desk_of
from connectors.operations.flowing import flow_of
from connectors.operations.screen import drawn, look
from connectors.operations.shapes import Complaint
from demo.ports import free_port
from hub.settings import Settings
from tests.connectors.operations.desk import OPERATIONS, Desk, desk_at, hold, park
from tests.hub.parts import Probe, at_work, fake
from tests.running import SECRET_KEY
from tests.waiting import wait_until

PROBE_NOW: Final = "UPDATE hub.outage SET probe_after = now()"
UNREACHABLE: Final = Complaint(complaint="the broker cannot be reached", processes=2)


async def drawn_at(probe: Probe, capsys: pytest.CaptureFixture[str]) -> str:
    """The live screen."""
    settings = Settings.model_validate({"database_url": probe.url, "secret_key": SECRET_KEY})
    async with desk_of(settings, None) as desk:
        Console(width=200).print(drawn(await look(desk), desk.place))
    return capsys.readouterr().out


async def test_what_is_down_is_seen_with_how_much_waits_and_afterwards_that_it_was(probe: Probe) -> None:
    ids = await hold(probe)
    async with desk_at(probe.url) as desk:
        (outage,) = (await desk.get("/outages"))["items"]
        assert (outage["receiver"], outage["destination"], outage["error"]) == (
            "mail.outside",
            "smtp",
            "OutsideDownError",
        )
        assert (outage["ended_at"], outage["held"]) == (None, 2)
        mail = await _component(desk, "mail")
        assert {one["receiver"]: (one["held"], one["due"]) for one in mail["receivers"]} == {"mail.outside": (2, 0)}
        (delivery,) = (await desk.get("/deliveries?state=held"))["items"]
        assert (delivery["destination"], delivery["attempts"]) == ("smtp", 0)
        way = await desk.get(f"/messages/{ids[0]}")
        assert [one["state"] for one in way["deliveries"]] == ["held"]

        await probe.connection.execute(PROBE_NOW)
        async with at_work(probe.url, fake("mail")) as process:
            await wait_until(lambda: _is_empty(probe))
            await process.drained(5)
        await hold(probe)
        open_, over = (await desk.get("/outages"))["items"]
        assert (open_["ended_at"], open_["held"]) == (None, 2)
        assert (over["id"], over["held"], over["ended_at"] is not None) == (outage["id"], 0, True)
        assert (await desk.get("/outages?limit=1"))["items"] == [open_]


async def _component(desk: Desk, name: str) -> Any:  # noqa: ANN401 - any JSON
    return next(one for one in (await desk.get("/flow"))["components"] if one["component"] == name)


async def _is_empty(probe: Probe) -> bool:
    return await probe.deliveries() == []


async def test_the_live_screen_has_a_panel_for_what_is_down(probe: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    await park(probe)
    await hold(probe)
    text = await drawn_at(probe, capsys)

    assert text.index("Flow") < text.index("Outages") < text.index("Parked")
    assert "smtp" in text
    await probe.connection.execute("UPDATE hub.outage SET ended_at = now()")
    assert "Outages" not in await drawn_at(probe, capsys)


async def test_how_many_processes_complain_of_the_broker(
    probe: Probe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.flow.WRITE_EVERY_S", 0.1)
    nowhere = {"transport": "rabbitmq", "amqp_url": f"amqp://a:b@127.0.0.1:{free_port()}/mykey"}
    async with at_work(probe.url, OPERATIONS) as process:

        async def are(*wanted: Complaint) -> bool:
            return (await flow_of(process.database_of("operations"))).complaints == list(wanted)

        async with at_work(probe.url, fake("mail"), **nowhere), at_work(probe.url, fake("mail"), **nowhere):
            await wait_until(lambda: are(UNREACHABLE))
            assert UNREACHABLE.complaint in await drawn_at(probe, capsys)
        assert await are()
