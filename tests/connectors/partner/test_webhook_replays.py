"""Operators see what a party was told, and have it told again: by the door and by the terminal, each an act."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from connectors.operations.acts import Actor, Role
from connectors.operations.console import COMMANDS, run
from connectors.operations.operators import HASH_PURPOSE, Operators
from connectors.operations.options import parser
from connectors.operations.shapes import OperatorAsked
from connectors.operations.work import Work
from hub.keys import Keys
from schemas.links import UnlinkCitizen
from tests.connectors.operations.desk import ACTS
from tests.connectors.partner.receivers import Receiver, receiving
from tests.connectors.partner.test_webhooks import DUE_NOW, ask
from tests.connectors.partner.town import AIRLINE, CARD_COMPANY, CITIZENS, DEADLINE_S, Partner, Town, town
from tests.running import SECRET_KEY
from tests.waiting import wait_until
from tests.workers.registry.asking import ask as ask_hub
from tests.workers.registry.asking import rows_of

SCHEDULED: Final = "SELECT FROM hub.delivery WHERE receiver = 'partner.webhooks' AND state = 'scheduled'"
MUCH_LATER: Final = """
UPDATE hub.delivery SET due_at = now() + interval '1 hour'
WHERE receiver = 'partner.webhooks' AND state = 'scheduled' RETURNING 1
"""
OPERATIONS: Final = "/api/operations"


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[Town]:
    async with town(database_url, further=["operations"]) as made:
        yield made


async def token_of(opened: Town, role: Role) -> str:
    operators = Operators(Keys(SECRET_KEY.encode()).hasher(HASH_PURPOSE))
    work = Work(opened.process.database_of("operations"), opened.process, operators)
    system = Actor("root", Role.supervisor, "terminal")
    return (await work.add_operator(system, OperatorAsked(name=role.value, role=role))).token


async def operate(opened: Town, token: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{opened.url}{OPERATIONS}{path}"
    async with opened.session.request(method, url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def miss(opened: Town, airline: Partner, receiver: Receiver, database_url: str) -> list[str]:
    """Every citizen's end of the link, told in vain; the ids."""
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    receiver.usual = 404
    for number in range(1, CITIZENS + 1):
        await ask_hub(opened.process, UnlinkCitizen(citizen_id=UUID(int=number), party_id=AIRLINE))

    async def put_off() -> bool:
        return len(await rows_of(database_url, MUCH_LATER)) == CITIZENS

    await wait_until(put_off)
    missed = [one["event_id"] for one in (await airline.get("/webhook-events?undelivered=true"))["items"]]
    assert len(missed) == CITIZENS
    receiver.usual = 204
    receiver.came.clear()
    return missed


async def test_what_was_missed_is_told_again_once_in_steps(
    opened: Town, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.partner.webhooks.replaying.STEP_LIMIT", 2)
    viewer, operator = await token_of(opened, Role.viewer), await token_of(opened, Role.operator)
    asked = {"party_id": str(AIRLINE), "undelivered": True, "reason": "they had a wrong proxy"}
    async with receiving() as receiver:
        missed = await miss(opened, opened.partner(), receiver, database_url)
        status, page = await operate(opened, viewer, "GET", f"/webhooks/{AIRLINE}?undelivered=true&limit=2")
        assert (status, page["url"], page["undelivered"]) == (200, receiver.url, CITIZENS)
        assert [one["event_id"] for one in page["events"]] == missed[:2]
        rest = await operate(opened, viewer, "GET", f"/webhooks/{AIRLINE}?undelivered=true&cursor={page['next']}")
        assert [one["event_id"] for one in rest[1]["events"]] == missed[2:]

        assert (await operate(opened, viewer, "POST", "/webhook-replays", asked))[0] == 403
        assert (await operate(opened, operator, "POST", "/webhook-replays", {"party_id": str(AIRLINE)}))[0] == 400
        status, replayed = await operate(opened, operator, "POST", "/webhook-replays", asked)
        assert status == 202
        await wait_until(lambda: sorted(receiver.ids()) == sorted(missed))
        await rows_of(database_url, DUE_NOW)
        await opened.process.drained(DEADLINE_S)
        assert len(receiver.came) == CITIZENS, "what was taken by then is not sent by those that were put off"
        assert await rows_of(database_url, SCHEDULED) == []

        one = {"party_id": str(AIRLINE), "event_id": missed[0]}
        others = {"party_id": str(CARD_COMPANY), "event_id": missed[0]}
        assert (await operate(opened, operator, "POST", "/webhook-replays", others))[0] == 202
        await operate(opened, operator, "POST", "/webhook-replays", one)
        await wait_until(lambda: receiver.ids().count(missed[0]) == 2)
        await opened.process.drained(DEADLINE_S)
        assert len(receiver.came) == CITIZENS + 1, "another party's event is nobody's"
    _, way = await operate(opened, viewer, "GET", f"/messages/{replayed['message_id']}")
    types = [one["type"].removeprefix("jp.mykey.webhooks.").removesuffix(".v1") for one in way["chain"]]
    assert (types.count("replay"), types.count("send")) == (3, CITIZENS)
    acts = [row for row in await rows_of(database_url, ACTS) if row["kind"] == "webhook_replay"]
    assert [row["targets"] for row in acts] == [
        [f"party:{AIRLINE}"],
        [f"party:{CARD_COMPANY}", f"webhook:{missed[0]}"],
        [f"party:{AIRLINE}", f"webhook:{missed[0]}"],
    ]
    assert (acts[0]["operator"], acts[0]["reason"], acts[0]["via"]) == ("operator", asked["reason"], "api")
    assert json.loads(acts[0]["result"]) == {"message_id": replayed["message_id"]}


async def test_the_terminal_does_the_same(
    opened: Town, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")

    async def spoken(*arguments: str) -> str:
        capsys.readouterr()
        options = parser(COMMANDS).parse_args(arguments)
        console = Console(quiet=options.json, markup=False, highlight=False)
        assert await run(options, opened.process.settings, console) == 0
        return capsys.readouterr().out

    assert "it has no endpoint" in await spoken("webhooks", str(uuid4()))
    async with receiving() as receiver:
        missed = await miss(opened, opened.partner(), receiver, database_url)
        shown = await spoken("webhooks", str(AIRLINE), "--undelivered")
        assert all(one in shown for one in [receiver.url, *missed])
        assert "message_id" in await spoken("replay", str(AIRLINE), "--event", missed[0], "--json")
        await wait_until(lambda: receiver.ids() == [missed[0]])
        assert "tells how far it is" in await spoken("replay", str(AIRLINE), "--undelivered", "--reason", "mended")
        await wait_until(lambda: sorted(receiver.ids()) == sorted(missed))
    acts = [row for row in await rows_of(database_url, ACTS) if row["kind"] == "webhook_replay"]
    assert [(row["via"], row["reason"]) for row in acts] == [("terminal", ""), ("terminal", "mended")]
