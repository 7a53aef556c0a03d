"""Webhooks to partners, as a receiver on loopback sees them, verified by Standard Webhooks' rules."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from jsonschema import Draft202012Validator

from connectors.partner.outbound import Got, Outbound
from connectors.partner.webhooks.endpoints import OLD_SECRETS_LIMIT
from demo.ports import free_port
from hub.clock import AdjustableClock
from hub.web.openapi import openapi
from schemas.citizens import LinkCitizen
from schemas.links import UnlinkCitizen
from tests.connectors.partner.receivers import Receiver, receiving, signed_by, verify_by_key
from tests.connectors.partner.town import AIRLINE, DEADLINE_S, HOST, Partner, Town, town, transfer
from tests.running import running
from tests.waiting import wait_until
from tests.workers.registry.asking import ask as ask_hub
from tests.workers.registry.asking import rows_of

JSON = {"Content-Type": "application/json"}
DUE_NOW: Final = """
UPDATE hub.delivery SET due_at = now() WHERE receiver = 'partner.webhooks' AND state = 'scheduled' RETURNING 1
"""
WAITING: Final = "SELECT state, reason FROM hub.delivery WHERE receiver = 'partner.webhooks'"
OPEN: Final = "SELECT error FROM hub.outage WHERE receiver = 'partner.webhooks' AND ended_at IS NULL"
HELD: Final = "SELECT destination, attempts FROM hub.delivery WHERE receiver = 'partner.webhooks' AND state = 'held'"
AS_BEFORE: Final = """
WITH kept AS (DELETE FROM partner.webhook_old_secret RETURNING party_id, secret_sealed, until)
UPDATE partner.webhook AS w SET old_secret_sealed = kept.secret_sealed, old_until = kept.until
FROM kept WHERE w.party_id = kept.party_id
"""
"""As a process of the release before keeps the secret that it has changed."""
KEPT: Final = "SELECT event_id, type, tries, delivered_at FROM partner.webhook_event ORDER BY event_id"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def ask(partner: Partner, method: str, path: str, body: object = None, status: int = 200) -> Any:  # noqa: ANN401 - whatever was answered
    raw = None if body is None else json.dumps(body).encode()
    answer = await partner.ask(method, path, raw, {} if raw is None else JSON)
    assert answer.status == status, answer
    return answer.json if answer.body else None


async def unlink(opened: Town, number: int) -> None:
    await ask_hub(opened.process, UnlinkCitizen(citizen_id=UUID(int=number), party_id=AIRLINE))


async def link(opened: Town, number: int, link_id: str) -> None:
    await ask_hub(opened.process, LinkCitizen(citizen_id=UUID(int=number), party_id=AIRLINE, link_id=link_id))


async def test_what_happens_is_told_signed_until_it_is_taken_and_again_when_asked(
    hub_town: Town, airline: Partner, card_company: Partner, receiver: Receiver
) -> None:
    assert await ask(airline, "GET", "/webhook", status=404)
    told = await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    receiver.answers = [500, 302]  # neither taken nor followed
    await unlink(hub_town, 1)
    await wait_until(lambda: len(receiver.came) == 3, deadline_s=60)
    assert len(set(receiver.ids())) == 1, "a repeat is known by its id"
    for headers, body in receiver.came:
        assert json.loads(body) == {
            "type": "link.ended",
            "timestamp": json.loads(body)["timestamp"],
            "data": {"link_id": "l-1"},
        }
        assert signed_by(headers, body, told["secret"])
        assert not signed_by(headers, body + b" ", told["secret"])
        verify_by_key(headers, body, told["public_key"])
    again = await ask(airline, "POST", "/webhook-secrets")
    await ask(airline, "POST", "/webhook-tests", status=202)
    await wait_until(lambda: "webhook.test" in receiver.types())
    headers, body = receiver.came[-1]
    assert signed_by(headers, body, told["secret"])
    assert signed_by(headers, body, again["secret"])
    page = await airline.get("/webhook-events?limit=1")
    assert page["items"][0]["type"] == "webhook.test"
    older = (await airline.get(f"/webhook-events?limit=1&cursor={page['next']}"))["items"][0]
    assert (older["type"], older["tries"], older["last_status"]) == ("link.ended", 3, 204)
    replay = {"event_ids": [older["event_id"]]}
    await ask(card_company, "PUT", "/webhook", {"url": receiver.url})
    assert await ask(card_company, "POST", "/webhook-replays", replay, 202) == {"event_ids": []}
    assert await ask(airline, "POST", "/webhook-replays", replay, 202) == replay
    await wait_until(lambda: receiver.types().count("link.ended") == 4)


async def test_the_secret_before_signs_for_a_day_and_no_longer(database_url: str, receiver: Receiver) -> None:
    clock = AdjustableClock()
    async with town(database_url, clock) as opened:
        airline = opened.partner()
        old = (await ask(airline, "PUT", "/webhook", {"url": receiver.url}))["secret"]
        before = clock.now()
        new = (await ask(airline, "POST", "/webhook-secrets"))["secret"]
        after = clock.now()
        signed: list[list[bool]] = []
        for instant in (before + timedelta(hours=24, minutes=-1), after + timedelta(hours=24)):
            clock.move_to(instant)
            await ask(airline, "POST", "/webhook-tests", status=202)
            await wait_until(lambda: len(receiver.came) > len(signed))
            signed.append([signed_by(*receiver.came[-1], secret) for secret in (new, old)])

    assert signed == [[True, True], [True, False]]


async def test_a_secret_that_is_changed_twice_signs_for_its_day_all_the_same(
    database_url: str, receiver: Receiver
) -> None:
    clock = AdjustableClock()
    async with town(database_url, clock) as opened:
        airline = opened.partner()
        secrets = [(await ask(airline, "PUT", "/webhook", {"url": receiver.url}))["secret"]]
        for hours in (0, 1):
            clock.advance(timedelta(hours=hours))
            secrets.append((await ask(airline, "POST", "/webhook-secrets"))["secret"])
        signed: list[list[bool]] = []
        for hours in (0, 23, 1):
            clock.advance(timedelta(hours=hours))
            await ask(airline, "POST", "/webhook-tests", status=202)
            await wait_until(lambda: len(receiver.came) > len(signed))
            signed.append([signed_by(*receiver.came[-1], secret) for secret in secrets])
        for _ in range(OLD_SECRETS_LIMIT + 2):
            await ask(airline, "POST", "/webhook-secrets")
        await ask(airline, "POST", "/webhook-tests", status=202)
        await wait_until(lambda: len(receiver.came) > len(signed))
        headers, _ = receiver.came[-1]
        assert headers["webhook-signature"].count("v1,") == OLD_SECRETS_LIMIT + 1
        anew = (await ask(airline, "PUT", "/webhook", {"url": receiver.url}))["secret"]
        await ask(airline, "POST", "/webhook-tests", status=202)
        await wait_until(lambda: signed_by(*receiver.came[-1], anew))
        assert receiver.came[-1][0]["webhook-signature"].count("v1,") == 1, "who sets it up anew begins anew"

    assert signed == [[True, True, True], [False, True, True], [False, False, True]]


async def test_a_secret_that_the_release_before_has_changed_signs_on(database_url: str, receiver: Receiver) -> None:
    async with town(database_url, AdjustableClock()) as opened:
        airline = opened.partner()
        old = (await ask(airline, "PUT", "/webhook", {"url": receiver.url}))["secret"]
        new = (await ask(airline, "POST", "/webhook-secrets"))["secret"]
        await rows_of(database_url, AS_BEFORE)
        await ask(airline, "POST", "/webhook-tests", status=202)
        await wait_until(lambda: len(receiver.came) == 1)
        anew = (await ask(airline, "PUT", "/webhook", {"url": receiver.url}))["secret"]
        await ask(airline, "POST", "/webhook-tests", status=202)
        await wait_until(lambda: len(receiver.came) == 2)

    assert [signed_by(*receiver.came[0], secret) for secret in (new, old)] == [True, True]
    assert [signed_by(*receiver.came[1], secret) for secret in (anew, new, old)] == [True, False, False]


async def test_an_endpoint_that_is_gone_is_asked_no_more(
    hub_town: Town, airline: Partner, receiver: Receiver, database_url: str
) -> None:
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    receiver.answers = [410]
    await ask(airline, "POST", "/webhook-tests", status=202)
    await wait_until(lambda: len(receiver.came) == 1)

    async def disabled() -> bool:
        return (await airline.get("/webhook"))["disabled_at"] is not None

    await wait_until(disabled)
    problem = await ask(airline, "POST", "/webhook-tests", status=404)
    assert problem["detail"].startswith("Your endpoint has answered 410")
    replay = {"event_ids": [str(uuid4())]}
    refused = await ask(airline, "POST", "/webhook-replays", replay, 404)
    assert refused["detail"] == problem["detail"]
    assert problem["detail_ja"].startswith("Webhookの送信先は410を返したため")
    await unlink(hub_town, 1)
    await hub_town.process.drained(DEADLINE_S)
    await airline.file(json.dumps(transfer("t-1")).encode(), "f-1", "application/x-ndjson")
    await wait_until(lambda: _kept(database_url, 3))
    await hub_town.process.drained(DEADLINE_S)
    assert len(receiver.came) == 1
    missed = (await airline.get("/webhook-events?undelivered=true"))["items"]
    assert [(one["type"], one["tries"]) for one in missed] == [
        ("transfer_file.finished", 0), ("link.ended", 0), ("webhook.test", 1)
    ]  # fmt: skip
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    assert (await airline.get("/webhook"))["disabled_at"] is None
    ids = [one["event_id"] for one in missed]
    await ask(airline, "POST", "/webhook-replays", {"event_ids": ids}, 202)
    await wait_until(lambda: sorted(receiver.ids()[1:]) == sorted(ids))
    assert await ask(airline, "DELETE", "/webhook", status=204) is None
    gone = await ask(airline, "POST", "/webhook-replays", replay, 404)
    assert gone["detail"].startswith("No endpoint is set")
    for method, path in (("POST", "/webhook-tests"), ("POST", "/webhook-secrets"), ("GET", "/webhook")):
        problem = await ask(airline, method, path, status=404)
        assert problem["detail"].startswith("No endpoint is set"), path
        assert problem["detail_ja"].startswith("Webhookの送信先が設定されていません"), path


async def _kept(database_url: str, count: int) -> bool:
    return len(await rows_of(database_url, KEPT)) == count


async def test_an_old_endpoint_s_late_410_does_not_disable_the_new_one(
    airline: Partner, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = Outbound.tell
    async with receiving() as new:

        async def move_meanwhile(outbound: Outbound, url: str, body: bytes, headers: Mapping[str, str]) -> Got:
            got = await tell(outbound, url, body, headers)
            if url == receiver.url:
                await ask(airline, "PUT", "/webhook", {"url": new.url})
            return got

        monkeypatch.setattr(Outbound, "tell", move_meanwhile)
        receiver.answers = [410]
        await ask(airline, "PUT", "/webhook", {"url": receiver.url})
        (said,) = (await ask(airline, "POST", "/webhook-tests", status=202))["event_ids"]
        await wait_until(lambda: new.ids() == [said], deadline_s=20)
        state = await airline.get("/webhook")
        assert (state["url"], state["disabled_at"]) == (new.url, None)


async def test_what_an_endpoint_says_beside_its_status_is_not_read(airline: Partner, receiver: Receiver) -> None:
    """F31: ten megabytes for an answer."""
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    receiver.answers, receiver.answer_bytes = [404, 200], 10 * 1024 * 1024

    async def taken() -> bool:
        (event,) = (await airline.get("/webhook-events"))["items"]
        return event["delivered_at"] is not None

    await ask(airline, "POST", "/webhook-tests", status=202)
    await wait_until(taken, deadline_s=30)
    assert len(receiver.came) == 2


async def test_no_endpoint_on_the_inside(airline: Partner) -> None:
    """ASVS 1.3.6, 13.2.4, 15.3.2: refused when it is named; looked at again at each connection (test_outbound.py)."""
    for url in (
        "http://169.254.169.254/",
        "https://169.254.169.254/latest/meta-data",
        "http://party.example/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://party.example:8443/",
        "https://user@party.example/",
        "ftp://party.example/",
    ):
        for path in ("/webhook", "/coupon-check"):
            problem = await ask(airline, "PUT", path, {"url": url}, 400)
            assert problem["errors"][0]["pointer"] == "/url", (path, url)


async def test_what_happens_to_one_citizen_is_told_in_its_order_each_once_by_two_of_every_worker(
    hub_town: Town, airline: Partner, receiver: Receiver, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.transports.outside.TURN_LIMIT_S", 60.0)  # what is slow may be overtaken
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    expected: dict[int, list[str]] = {number: [] for number in (1, 2, 3)}
    async with running(database_url, "registry", "ledger", "partner"):
        for turn in range(4):
            for number, told in expected.items():
                before, after = f"l-{number}" if turn == 0 else f"l-{number}-{turn - 1}", f"l-{number}-{turn}"
                await unlink(hub_town, number)
                await link(hub_town, number, after)
                told += [f"link.ended {before}", f"link.created {after}"]
        await wait_until(lambda: len(receiver.came) == 24)
        await hub_town.process.drained(DEADLINE_S)
    assert len(set(receiver.ids())) == len(receiver.ids()) == 24
    for number, told in expected.items():
        ours = [one for one in receiver.told() if one["data"]["link_id"].startswith(f"l-{number}")]
        assert [f"{one['type']} {one['data']['link_id']}" for one in ours] == told


async def test_a_file_is_told_of_once_with_its_counts_and_its_first_refused_rows(
    hub_town: Town, airline: Partner, card_company: Partner, receiver: Receiver, database_url: str
) -> None:
    await ask(airline, "PUT", "/webhook", {"url": receiver.url})
    await airline.batch(transfer("t-1"), transfer("t-0", link=99))
    rows = [json.dumps(transfer(f"t-{n}", link=1 if n < 30 else 99)) for n in range(1, 141)]
    content = "\n".join([*rows, "{", json.dumps(transfer("t-2"))]).encode()
    taken = (await airline.file(content, "f-1", "application/x-ndjson")).json
    assert (await airline.file(content, "f-1", "application/x-ndjson")).json == taken
    assert (await card_company.file(content, "f-1", "application/x-ndjson")).status == 202
    await wait_until(lambda: receiver.came)
    await hub_town.process.drained(DEADLINE_S)
    assert len(receiver.came) == 1, "a batch was answered, and a partner without an endpoint is told nothing"
    (told,) = receiver.told()
    assert told["type"] == "transfer_file.finished"
    refused_rows = told["data"].pop("refused_rows")
    assert told["data"] == {
        "file_id": taken["file_id"],
        "rows": 142,
        "posted": 28,
        "points": 28_000,
        "replayed": 2,
        "refused": {"unknown_link": 111, "bad_row": 1},
    }
    assert refused_rows[0] == {"line": 30, "transfer_id": "t-30", "code": "unknown_link"}
    assert [one["line"] for one in refused_rows] == list(range(30, 130))
    assert len(await rows_of(database_url, KEPT)) == 1
    _as_documented(hub_town, told | {"data": told["data"] | {"refused_rows": refused_rows}})


def _as_documented(opened: Town, told: dict[str, Any]) -> None:
    document = openapi(opened.component("partner").routes)
    (sent,) = document["paths"]["/api/partner/webhook"]["put"]["callbacks"][told["type"]].values()
    schema = sent["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(told)


async def test_an_event_that_an_endpoint_breaks_on_does_not_keep_the_others_from_it(
    database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.partner.webhooks.sending.JUDGED_TRIES_LIMIT", 2)
    async with town(database_url, outage_no_answer_limit=1) as opened:
        airline = opened.partner()
        await ask(airline, "PUT", "/webhook", {"url": receiver.url})
        receiver.usual = 503
        await unlink(opened, 1)
        await wait_until(lambda: receiver.came)
        receiver.breaks_on = UUID(receiver.ids()[0])
        await unlink(opened, 2)
        receiver.usual = 204

        async def undelivered() -> list[Any]:
            items: list[Any] = (await airline.get("/webhook-events?undelivered=true"))["items"]
            return items

        async def other_taken() -> bool:
            return len(set(receiver.ids())) == 2 and len(await undelivered()) == 1

        await wait_until(other_taken, deadline_s=60)
        assert len(receiver.ids()) - receiver.ids().count(str(receiver.breaks_on)) == 1
        (broken,) = await undelivered()
        assert (broken["event_id"], broken["last_status"]) == (str(receiver.breaks_on), 500)
        receiver.breaks_on = None

        async def taken() -> bool:
            await rows_of(database_url, DUE_NOW)
            return not await undelivered()

        await wait_until(taken, deadline_s=60)
        await opened.process.drained(DEADLINE_S)
        assert await rows_of(database_url, WAITING) == []


async def test_where_nothing_listens_the_first_try_finds_the_outage_and_no_attempt_is_lost(
    hub_town: Town, airline: Partner, database_url: str
) -> None:
    port = free_port()
    await ask(airline, "PUT", "/webhook", {"url": f"http://{HOST}:{port}/hooks"})
    await unlink(hub_town, 1)

    async def found() -> bool:
        return bool(await rows_of(database_url, HELD))

    await wait_until(found)
    (outage,) = await rows_of(database_url, OPEN)
    assert outage["error"] == "OutsideDownError"
    (held,) = await rows_of(database_url, HELD)
    assert (held["destination"], held["attempts"]) == (f"webhook:{AIRLINE}", 0)
    async with receiving(port) as back:
        await wait_until(lambda: back.types() == ["link.ended"], deadline_s=30)
