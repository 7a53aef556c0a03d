"""Every act of operators is in the audit, and what is in the audit stays there."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from connectors.operations.acts import ActKind, Role
from hub.transaction import Reading
from schemas.corrections import Original
from schemas.message import Query
from tests.connectors.operations.desk import ACTS, SECRET, Desk, desk_at, park, plain
from tests.hub.parts import Probe, credited, fake

Act: TypeAlias = Callable[[Desk, list[UUID], Probe], Awaitable[Any]]
PARTY: Final = uuid4()


async def _fingerprint(probe: Probe) -> str:
    (parked,) = await probe.deliveries("parked")
    return str(parked["fingerprint"])


async def _redrive(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    return await desk.do("/redrives", {"all": True, "reason": "mended"}, Role.operator)


async def _replay(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    asked = {"party_id": str(PARTY), "undelivered": True, "reason": "they asked"}
    return await desk.do("/webhook-replays", asked, Role.operator)


async def _note(desk: Desk, _ids: list[UUID], probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    return await desk.do("/notes", {"fingerprint": await _fingerprint(probe), "note": "asked the city"}, Role.operator)


async def _pause(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    return await desk.do("/components/mail/pause", {"reason": "new server"}, Role.operator)


async def _resume(desk: Desk, ids: list[UUID], probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    await _pause(desk, ids, probe)
    return await desk.do("/components/mail/resume", {"reason": "it runs"}, Role.operator)


async def _test(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    status, _ = await desk.ask(
        Role.operator, "POST", "/components/partner/connection-test", {"party_id": str(PARTY), "reason": "they asked"}
    )
    assert status == 503, "no process with the partner connector runs here"


async def _reveal(desk: Desk, ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    return await desk.do(f"/messages/{ids[3]}/reveal", {"reason": "the citizen asked"})


async def _copy(desk: Desk, ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    data = credited(4).model_dump(mode="json")
    return await desk.do(f"/messages/{ids[0]}/copies", {"data": data, "reason": "wrong number"})


async def _add(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    return await desk.do("/operators", {"name": "sato", "role": "viewer", "reason": "new here"})


async def _revoke(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    return await desk.do("/operators/viewer/revoke", {"reason": "has left"})


async def _correct(desk: Desk, _ids: list[UUID], _probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    asked = {"party_id": str(PARTY), "command_id": "c1", "reason": "typed twice"}
    return await desk.do("/corrections", asked, Role.operator)


async def _approve(desk: Desk, ids: list[UUID], probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    correction_id = (await _correct(desk, ids, probe))["correction_id"]
    return await desk.do(f"/corrections/{correction_id}/approve", {"reason": "so it is"})


async def _reject(desk: Desk, ids: list[UUID], probe: Probe) -> Any:  # noqa: ANN401 - any JSON
    correction_id = (await _correct(desk, ids, probe))["correction_id"]
    return await desk.do(f"/corrections/{correction_id}/reject", {"reason": "it was right"})


async def _original(_query: Query, _reading: Reading) -> Original:
    return Original(citizen_id=PARTY, kind="use", points=1)


DONE_BY: Final[dict[tuple[str, ActKind], Act]] = {
    ("/redrives", ActKind.redrive): _redrive,
    ("/webhook-replays", ActKind.webhook_replay): _replay,
    ("/notes", ActKind.note): _note,
    ("/components/{name}/pause", ActKind.pause): _pause,
    ("/components/{name}/resume", ActKind.resume): _resume,
    ("/components/{name}/connection-test", ActKind.connection_test): _test,
    ("/messages/{id}/reveal", ActKind.reveal): _reveal,
    ("/messages/{id}/copies", ActKind.copy): _copy,
    ("/operators", ActKind.operator_add): _add,
    ("/operators/{name}/revoke", ActKind.operator_revoke): _revoke,
    ("/corrections", ActKind.correction_ask): _correct,
    ("/corrections/{id}/approve", ActKind.correction_approve): _approve,
    ("/corrections/{id}/reject", ActKind.correction_reject): _reject,
}
"""Route and act → how it is done."""
TARGETS: Final[dict[ActKind, Callable[[list[UUID]], list[str] | None]]] = {
    ActKind.webhook_replay: lambda _ids: [f"party:{PARTY}"],
    ActKind.pause: lambda _ids: ["component:mail"],
    ActKind.resume: lambda _ids: ["component:mail"],
    ActKind.connection_test: lambda _ids: ["component:partner", f"party:{PARTY}"],
    ActKind.reveal: lambda ids: [f"message:{ids[3]}"],
    ActKind.operator_add: lambda _ids: ["operator:sato"],
    ActKind.operator_revoke: lambda _ids: ["operator:viewer"],
}


def test_every_kind_of_act_is_tried_here() -> None:
    elsewhere = {ActKind.command}  # test_written_down.py
    assert {kind for _, kind in DONE_BY} == set(ActKind) - elsewhere


async def test_every_route_that_acts_is_tried_here_and_no_other_changes_anything(probe: Probe) -> None:
    async with desk_at(probe.url) as desk:
        routes = next(one.routes for one in desk.process.components if one.name == "operations")

    acting = {plain(route) for route in routes if route.method != "GET"}
    assert acting == {path for path, _ in DONE_BY}
    assert {route.method for route in routes} == {"GET", "POST"}


@pytest.mark.parametrize("what", list(DONE_BY), ids=lambda what: str(what[1]))
async def test_an_act_is_in_the_audit(probe: Probe, what: tuple[str, ActKind], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.operations.work.CONNECTION_DEADLINE_S", 0.2)
    _, kind = what
    ids = await park(probe)
    async with desk_at(probe.url, fake("ledger", answer=_original)) as desk:
        before = len(await probe.connection.fetch(ACTS))
        answer = await DONE_BY[what](desk, ids, probe)
        listed = (await desk.ask(Role.supervisor, "GET", "/acts?limit=1"))[1]["items"][0]

    act = (await probe.connection.fetch(ACTS))[before:][-1]
    assert (act["kind"], act["via"]) == (kind.value, "api")
    assert act["operator"] == act["role"], "operators here are called as their roles"
    assert act["reason"] or kind is ActKind.note
    assert act["targets"]
    if kind in TARGETS:
        assert act["targets"] == TARGETS[kind](ids)
    assert listed["kind"] == kind.value
    told = json.dumps([list(map(str, act.values())), listed])
    assert SECRET not in told, "the audit holds no personal data"
    assert answer is None or str(answer.get("token", "?")) not in told


async def test_nobody_can_change_the_audit(probe: Probe) -> None:
    async with desk_at(probe.url) as desk:
        await desk.do("/components/mail/pause", {"reason": "new server"})
        database = desk.process.database_of("operations")
        for change in ("UPDATE operations.act SET reason = ''", "DELETE FROM operations.act"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with database.connection() as connection:
                    await connection.execute(change)
            with pytest.raises(asyncpg.RestrictViolationError):
                await probe.connection.execute(change)
        with pytest.raises(asyncpg.RestrictViolationError):
            await probe.connection.execute("TRUNCATE operations.act")


@pytest.mark.parametrize("table", ["act", "operator", "redrive", "note", "correction"])
async def test_other_components_reach_no_table_of_operators(probe: Probe, table: str) -> None:
    sql = f"SELECT has_table_privilege('mykey_partner', 'operations.{table}', 'SELECT')"

    assert (
        await probe.connection.fetchval("SELECT has_schema_privilege('mykey_partner', 'operations', 'USAGE')") is False
    )
    assert await probe.connection.fetchval(sql) is False


async def test_what_fails_leaves_neither_act_nor_audit(probe: Probe) -> None:
    ids = await park(probe)
    async with desk_at(probe.url) as desk:
        before = len(await probe.connection.fetch(ACTS))
        status, problem = await desk.ask(
            Role.supervisor, "POST", f"/messages/{ids[0]}/copies", {"data": {"points": 1}, "reason": "typo"}
        )
        assert (status, problem["type"]) == (400, "/api/#problem-bad_field")
        assert {error["pointer"] for error in problem["errors"]} >= {"/data/citizen_id", "/data/pool"}
        assert (await desk.ask(Role.operator, "POST", "/notes", {"delivery": 12345, "note": "x"}))[0] == 404

    assert len(await probe.connection.fetch(ACTS)) == before
    assert len(await probe.deliveries("parked")) == 1
