"""What operators see and do by the door: by role, page by page, and together with processes at work."""

import asyncio
from base64 import urlsafe_b64encode
from ipaddress import IPv4Address
from itertools import count, product
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from connectors.operations.acts import Role
from connectors.operations.audience import MISS_BURST
from hub.component import Installed, Job
from hub.errors import TransientError
from hub.transaction import Reading
from hub.web.addresses import FORWARDED_FOR
from schemas.points import BalanceOf
from schemas.webhooks import Webhooks, WebhooksOf
from tests.connectors.operations.desk import ACTS, SECRET, added_here, desk_at, filled, hold, park, plain
from tests.hub.parts import Probe, at_work, credited, fake, key_in, say
from tests.waiting import wait_until

SEEN: Final = ("/flow", "/outages", "/parked", "/deliveries", "/messages", "/acts", "/operators", "/corrections")
UNKNOWN: Final = "mko_" + "x" * 43
FILL: Final = """
INSERT INTO hub.delivery (receiver, lane, state, message_ids, attempts, reason, fingerprint)
SELECT 'mail', n % 16, 'parked', ARRAY[gen_random_uuid()], 5, 'KeyError at x.py f', 'abcdefabcdef'
FROM generate_series(1, $1) AS n
"""


async def test_nobody_is_let_in_without_a_token_that_holds(probe: Probe) -> None:
    addresses = count(0x0A000001)
    async with desk_at(probe.url) as desk:
        await desk.do("/operators/operator/revoke", {"reason": "has left"})
        refused: dict[str | None, set[str]] = {None: set(), UNKNOWN: set(), desk.tokens[Role.operator]: set()}
        routes = next(one.routes for one in desk.process.components if one.name == "operations")
        for route, token in product(routes, refused):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            headers[FORWARDED_FOR] = str(IPv4Address(next(addresses)))
            url = f"{desk.url}{filled(route)}"
            async with desk.client.request(route.method, url, headers=headers) as answer:
                assert answer.status == 401, (route.method, route.path, token)
                told = await answer.json()
            refused[token].add(str([told[part] for part in ("type", "title", "detail", "status")]))

    assert len(set.union(*refused.values())) == 1, "who is refused is not told why"


async def test_who_tries_many_tokens_is_slowed_down_and_who_has_one_is_not(probe: Probe) -> None:
    async with desk_at(probe.url) as desk:
        statuses = [(await desk.ask(None, "GET", "/flow"))[0] for _ in range(MISS_BURST + 1)]
        assert statuses == [401] * MISS_BURST + [429]
        assert (await desk.ask(Role.viewer, "GET", "/flow"))[0] == 200


async def test_a_token_is_nowhere_in_the_database(probe: Probe) -> None:
    async with desk_at(probe.url) as desk:
        rows = await probe.connection.fetch("SELECT o::text AS row FROM operations.operator AS o")

        assert len(rows) == len(Role)
        assert all(len(token) == len("mko_") + 43 for token in desk.tokens.values())
        assert not any(token in row["row"] for row in rows for token in desk.tokens.values())


@pytest.mark.parametrize(
    "path,least",
    [
        ("/redrives", Role.operator),
        ("/webhook-replays", Role.operator),
        ("/notes", Role.operator),
        ("/components/mail/pause", Role.operator),
        ("/components/mail/resume", Role.operator),
        ("/components/mail/connection-test", Role.operator),
        (f"/messages/{UUID(int=7)}/reveal", Role.supervisor),
        (f"/messages/{UUID(int=7)}/copies", Role.supervisor),
        ("/operators", Role.supervisor),
        ("/operators/viewer/revoke", Role.supervisor),
        ("/corrections", Role.operator),
        (f"/corrections/{UUID(int=7)}/approve", Role.supervisor),
        (f"/corrections/{UUID(int=7)}/reject", Role.supervisor),
    ],
)
async def test_each_act_needs_its_role(probe: Probe, path: str, least: Role) -> None:
    async with desk_at(probe.url) as desk:
        before = len(await probe.connection.fetch(ACTS))
        for role in list(Role)[: list(Role).index(least)]:
            status, problem = await desk.ask(role, "POST", path, {"nothing": 1})
            assert (status, problem["type"]) == (403, "/api/#problem-forbidden")
        assert (await desk.ask(least, "POST", path, {"nothing": 1}))[0] == 400

    assert len(await probe.connection.fetch(ACTS)) == before


async def no_webhooks(_query: WebhooksOf, _reading: Reading) -> Webhooks:
    return Webhooks()


async def test_everything_there_is_to_see_is_seen_by_all_and_masked_for_all(probe: Probe) -> None:
    ids = await park(probe)
    await hold(probe)
    fingerprint = (await probe.deliveries("parked"))[0]["fingerprint"]
    async with desk_at(probe.url, fake("partner", answer=no_webhooks)) as desk:
        redrive = await desk.do("/redrives", {"fingerprint": "000000000000"})
        seen = {
            "/parked/{fingerprint}": f"/parked/{fingerprint}",
            "/messages/{id}": f"/messages/{ids[3]}",
            "/redrives/{id}": f"/redrives/{redrive['redrive_id']}",
            "/webhooks/{id}": f"/webhooks/{uuid4()}",
        } | {path: path for path in SEEN}
        routes = next(one.routes for one in desk.process.components if one.name == "operations")
        assert {plain(route) for route in routes if route.method == "GET"} == set(seen)
        before = len(await probe.connection.fetch(ACTS))
        for path in seen.values():
            for role in Role:
                status, answer = await desk.ask(role, "GET", path)
                assert status == 200, (path, role, answer)
                assert SECRET not in str(answer), path

    assert len(await probe.connection.fetch(ACTS)) == before


async def test_a_supervisor_revokes_itself_by_the_door_and_others_on_the_server_only(probe: Probe) -> None:
    async with desk_at(probe.url) as desk:
        await added_here(desk.process, "second", Role.supervisor)
        why = {"reason": "has left"}
        status, problem = await desk.ask(Role.supervisor, "POST", "/operators/second/revoke", why)
        assert (status, problem["type"]) == (409, "/api/#problem-state_conflict")
        assert {one["name"] for one in (await desk.get("/operators"))["items"] if one["revoked_at"]} == set()
        assert "operator_revoke" not in {act["kind"] for act in await probe.connection.fetch(ACTS)}
        await desk.do("/operators/supervisor/revoke", why)
        assert (await desk.ask(Role.supervisor, "POST", "/operators/viewer/revoke", why))[0] == 401


async def test_personal_data_is_masked_for_all_and_revealed_to_supervisors_who_say_why(probe: Probe) -> None:
    ids = await park(probe)
    personal = f"/messages/{ids[3]}"
    async with desk_at(probe.url) as desk:
        for role in Role:
            status, way = await desk.ask(role, "GET", personal)
            assert (status, way["message"]["data"], way["message"]["personal"]) == (200, None, True)
            assert SECRET not in str(await desk.ask(role, "GET", "/messages"))
        assert (await desk.get(f"/messages/{ids[1]}"))["message"]["data"]["points"] == 2
        assert (await desk.ask(Role.supervisor, "POST", f"{personal}/reveal", {"reason": " "}))[0] == 400

        way = await desk.do(f"{personal}/reveal", {"reason": "the citizen asked"})

    assert way["message"]["data"]["mykey_id"] == SECRET
    act = (await probe.connection.fetch(ACTS))[-1]
    assert (act["kind"], act["operator"], act["targets"]) == ("reveal", "supervisor", [f"message:{ids[3]}"])


async def test_a_messages_way_tells_when_and_how_long(probe: Probe) -> None:
    async def saying(messages: Any, tx: Any) -> None:  # noqa: ANN401 - whatever comes
        for number, message in enumerate(messages):
            if message.TYPE != credited(1).TYPE or message.points == 1:
                tx.emit(credited(2, message.key()), number)

    async with at_work(probe.url, fake("registry"), fake("mail", saying)) as process:
        (began,) = await say(process, credited(1))
        await process.drained(5)
    async with desk_at(probe.url) as desk:
        way = await desk.get(f"/messages/{began}")

    first, second = way["deliveries"]
    assert (first["state"], second["state"]) == ("done", "done")
    assert first["effect_at"] == way["chain"][1]["said_at"]
    assert 0 <= first["critical_ms"] < 5_000
    assert second["effect_at"] is None, "nothing came of it that would tell"


async def test_what_is_parked_is_grouped_with_the_notes_of_colleagues(probe: Probe) -> None:
    await park(probe)
    async with desk_at(probe.url) as desk:
        (item,) = (await desk.get("/parked"))["items"]
        fingerprint = item["group"]["fingerprint"]
        await desk.do("/notes", {"fingerprint": fingerprint, "note": "市に確認中"}, Role.operator)
        await desk.do("/notes", {"fingerprint": fingerprint, "note": "mended"})
        detail = await desk.get(f"/parked/{fingerprint}")
        assert (await desk.ask(Role.viewer, "GET", "/parked/000000000000"))[0] == 404

    assert [(note["operator"], note["note"]) for note in detail["items"][0]["notes"]] == [
        ("supervisor", "mended"),
        ("operator", "市に確認中"),
    ]
    (delivery,) = detail["deliveries"]
    assert delivery["reason"] == "PermanentError: closed [bold]for[/bold] good"


async def test_a_large_redrive_goes_on_by_itself_and_tells_how_far_it_is(probe: Probe) -> None:
    await park(probe)
    await probe.connection.execute(FILL, 1_700)
    async with desk_at(probe.url) as desk:
        begun = await desk.do("/redrives", {"fingerprint": "abcdefabcdef", "reason": "mended"}, Role.operator)
        assert (begun["done"], begun["total"], begun["finished"]) == (500, 1_700, False)

        async def finished() -> bool:
            return bool((await desk.get(f"/redrives/{begun['redrive_id']}"))["finished"])

        await wait_until(finished, 10, every_s=0.25)

    assert len(await probe.deliveries("parked")) == 1
    acts = [act for act in await probe.connection.fetch(ACTS) if act["kind"] == "redrive"]
    assert [len(act["targets"]) for act in acts] == [500, 500, 500, 200]
    assert {(act["operator"], act["reason"]) for act in acts} == {("operator", "mended")}


async def test_pages_follow_one_another_without_gap(probe: Probe) -> None:
    ids = await park(probe)
    await probe.connection.execute(FILL, 30)
    async with desk_at(probe.url) as desk:

        async def pages(path: str, key: str) -> list[Any]:
            found, cursor, rounds = [], "", 0
            while rounds < 50:
                page = await desk.get(f"{path}{cursor}")
                found += [item[key] for item in page["items"]]
                rounds += 1
                if page["next"] is None:
                    return found
                cursor = f"&cursor={page['next']}"
            raise AssertionError(rounds)

        assert await pages("/messages?limit=3", "id") == [str(one) for one in reversed(ids)]
        assert len(set(await pages("/deliveries?limit=7&state=parked", "id"))) == 31
        assert len(set(await pages("/acts?limit=2", "act_id"))) == len(Role)
        assert (await desk.ask(Role.viewer, "GET", "/messages?cursor=nonsense"))[0] == 400
        for made_up in (b'{"id":-1}', b'{"id":9223372036854775808}'):
            cursor = urlsafe_b64encode(made_up).decode().rstrip("=")
            assert (await desk.ask(Role.viewer, "GET", f"/deliveries?cursor={cursor}"))[0] == 400, made_up


async def test_an_edited_copy_is_done_instead_of_the_original(probe: Probe) -> None:
    ids = await park(probe)
    async with desk_at(probe.url, fake("mail")) as desk:
        asked = {"data": credited(7).model_dump(mode="json"), "reason": "wrong number"}
        copied = await desk.do(f"/messages/{ids[0]}/copies", asked)
        assert (await desk.ask(Role.supervisor, "POST", f"/messages/{ids[0]}/copies", asked))[0] == 409
        await desk.process.drained(5)
        way = await desk.get(f"/messages/{copied['copy_id']}")

    assert 7 in await probe.numbers()
    assert await probe.deliveries("parked") == []
    assert [(one["original_id"], one["copy_id"]) for one in way["copies"]] == [(str(ids[0]), copied["copy_id"])]


async def test_a_pause_holds_in_every_process_and_what_waited_goes_on_in_order(probe: Probe) -> None:
    runs: list[int] = []

    async def job() -> None:
        runs.append(len(runs))

    def mail() -> Installed:
        return fake("mail", jobs=[Job("tick", 0.05, job)])

    key = key_in(3)
    async with (
        desk_at(probe.url, fake("ledger")) as desk,
        at_work(probe.url, mail()) as one,
        at_work(probe.url, mail()) as two,
    ):
        await say(desk.process, credited(1, key))
        await wait_until(probe.numbers)
        await desk.do("/components/mail/pause", {"reason": "new server"})
        await wait_until(lambda: one.pauses.has("mail") and two.pauses.has("mail"), 5)
        await asyncio.sleep(0)
        before = len(runs)
        await say(desk.process, *(credited(n, key) for n in range(2, 40)))
        await say(desk.process, *(credited(100 + lane, key_in(lane)) for lane in range(16)))
        flow = {component["component"]: component for component in (await desk.get("/flow"))["components"]}
        assert flow["mail"]["paused"]["reason"] == "new server"
        assert flow["mail"]["receivers"][0]["due"] == 54
        await asyncio.sleep(1.2)  # two polls: a pause that does not hold shows here
        assert await probe.numbers() == [1]
        assert len(runs) <= before + 1, "a job that had begun may end"

        await desk.do("/components/mail/resume", {})
        await one.drained(5)

    done = await probe.numbers()
    assert [n for n in done if n < 100] == list(range(1, 40))
    assert len(done) == 55


async def test_whoever_calls_a_paused_component_is_told_to_come_again(probe: Probe) -> None:
    query = BalanceOf(citizen_id=uuid4())
    async with (
        desk_at(probe.url) as desk,
        at_work(probe.url, fake("ledger")) as ledger,
        at_work(probe.url, fake("mail")) as mail,
    ):
        await mail.call(query, 5)
        await desk.do("/components/ledger/pause", {"reason": "repair"})
        await wait_until(lambda: ledger.pauses.has("ledger"), 5)

        for process in (ledger, mail):
            with pytest.raises(TransientError, match="ledger") as refused:
                await process.call(query, 5)
            assert refused.value.retry_after_s >= 1

        await desk.do("/components/ledger/resume", {})
        await wait_until(lambda: not ledger.pauses.has("ledger"), 5)
        await mail.call(query, 5)


async def test_a_process_that_starts_while_its_component_is_paused_does_nothing(probe: Probe) -> None:
    async with desk_at(probe.url, fake("ledger")) as desk:
        await desk.do("/components/mail/pause", {"reason": "new server"})
        await say(desk.process, credited(1))
        async with at_work(probe.url, fake("mail")) as process:
            await wait_until(lambda: _has_lanes(probe, process.process_id))
            await asyncio.sleep(0.6)  # one poll
    assert await probe.numbers() == []


async def _has_lanes(probe: Probe, process_id: Any) -> bool:  # noqa: ANN401 - a UUID
    return process_id in await probe.owners()


@pytest.mark.parametrize("name,status", [("operations", 409), ("nobody", 404)])
async def test_not_everything_can_be_paused(probe: Probe, name: str, status: int) -> None:
    async with desk_at(probe.url) as desk:
        assert (await desk.ask(Role.operator, "POST", f"/components/{name}/pause", {"reason": "x"}))[0] == status


async def test_a_pause_is_not_doubled(probe: Probe) -> None:
    async with desk_at(probe.url) as desk:
        assert (await desk.ask(Role.operator, "POST", "/components/mail/resume", {}))[0] == 409
        await desk.do("/components/mail/pause", {"reason": "x"})
        assert (await desk.ask(Role.operator, "POST", "/components/mail/pause", {"reason": "y"}))[0] == 409


async def test_what_flows_is_added_up_over_processes(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.flow.WRITE_EVERY_S", 0.1)
    monkeypatch.setattr("hub.flow.WINDOW", 50)
    async with (
        desk_at(probe.url, fake("ledger")) as desk,
        at_work(probe.url, fake("mail")),
        at_work(probe.url, fake("mail")) as mail,
    ):
        await wait_until(lambda: _shared(probe), 10)
        await say(desk.process, *(credited(n, key_in(n % 16)) for n in range(160)))
        await mail.drained(5)

        async def flowing() -> Any:  # noqa: ANN401 - any JSON
            components = {one["component"]: one for one in (await desk.get("/flow"))["components"]}
            receivers = {one["receiver"]: one for one in components["mail"]["receivers"]}
            done = receivers.get("mail", {"done_per_s": 0})["done_per_s"] * 0.1 * 50
            return (components["mail"], receivers["mail"]) if done == pytest.approx(160) else None

        component, receiver = await wait_until(flowing)

    assert component["processes"] == 2
    assert 0 < receiver["critical_p50_ms"] <= receiver["critical_p99_ms"] < 5_000


async def _shared(probe: Probe) -> bool:
    return sorted((await probe.owners()).values()) == [8, 8]
