"""Who is let in: partners, by their own key, each request once."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from connectors.partner.audience import partner_keys, partner_nonces
from hub.clock import AdjustableClock
from hub.errors import TransientError
from hub.web.app import PUBLIC
from hub.web.signed_parties import KEY_CACHE_S
from schemas.corrections import CorrectPosting
from schemas.message import Answered
from schemas.parties import KeyAlgorithm, PartyKey, PartyKind
from tests.connectors.partner.town import AIRLINE, DEADLINE_S, Partner, Town, town, transfer

JSON = {"Content-Type": "application/json"}


async def test_nobody_gets_in_without_a_signature(hub_town: Town, airline: Partner) -> None:
    for route in hub_town.component("partner").routes:
        if route.path == "/jwks.json":
            assert route.permission == PUBLIC, "the keys by which others know us are for everybody"
            continue
        path = route.path.replace("{transfer_id}", "t-1").replace("{file_id}", str(UUID(int=1)))
        answer = await airline.send(route.method, path, None, {})
        assert (answer.status, answer.json["type"]) == (401, "/api/#problem-signature")
        assert answer.headers["WWW-Authenticate"]


async def test_a_store_s_key_is_no_partner_s(hub_town: Town) -> None:
    answer = await hub_town.partner("store").ask("GET", "/transfers/t-1")
    assert (answer.status, answer.json["type"]) == (401, "/api/#problem-signature")


@pytest.mark.parametrize("kind", ["shop", "fund"])
async def test_shops_and_funds_ask_for_their_links_and_for_nothing_else(hub_town: Town, kind: str) -> None:
    party, may = hub_town.partner(kind), set[str]()
    for route in hub_town.component("partner").routes:
        if route.permission != PUBLIC:
            path = route.path.replace("{transfer_id}", "t-1").replace("{file_id}", str(UUID(int=1)))
            answer = await party.ask(route.method, path)
            may |= set() if answer.status == 403 else {route.path}
    assert may == {
        "/membership-answers",
        "/link-lookups",
        "/webhook",
        "/webhook-secrets",
        "/webhook-tests",
        "/webhook-events",
        "/webhook-replays",
    }
    looked_up = await party.ask("POST", "/link-lookups", b'{"subjects": ["m-1"]}', JSON)
    assert looked_up.json == {"links": [{"subject": "m-1", "link_id": None}]}


async def test_a_request_counts_once(airline: Partner) -> None:
    body = b'{"transfers":[]}'
    signed = airline.signed("POST", "/transfers", body, JSON)
    assert (await airline.send("POST", "/transfers", body, signed)).status == 400
    replay = await airline.send("POST", "/transfers", body, signed)
    assert replay.status == 401
    assert "nonce" in replay.json["detail"]


@pytest.mark.parametrize("seconds", [-301, 90])
async def test_a_signature_must_be_fresh(airline: Partner, seconds: int) -> None:
    created = datetime.now(UTC) + timedelta(seconds=seconds)
    headers = airline.signed("GET", "/transfers/t-1", created=created)
    assert (await airline.send("GET", "/transfers/t-1", None, headers)).status == 401


async def test_what_was_signed_is_what_is_done(hub_town: Town, airline: Partner) -> None:
    signed = airline.signed("GET", "/transfers/t-1")
    assert (await airline.send("GET", "/transfers/t-2", None, signed)).status == 401
    body = b'{"transfers":[]}'
    signed = airline.signed("POST", "/transfers", body, JSON)
    assert (await airline.send("POST", "/transfers", body.replace(b"[", b"[ "), signed)).status == 401
    forged = Partner(hub_town.session, hub_town.url, "airline", hub_town.keys["card"])
    assert (await forged.ask("GET", "/transfers/t-1")).status == 401


async def test_a_story_three_weeks_ahead_still_takes_signatures_of_today(database_url: str) -> None:
    clock = AdjustableClock()
    async with town(database_url, clock) as opened:
        clock.advance(timedelta(days=22))
        (result,) = await opened.partner().batch(transfer("t-1"))
    assert result["status"] == "posted"


async def test_each_partner_has_its_own_rate(database_url: str) -> None:
    async with town(database_url, partner_requests_per_s=0.001) as opened:
        airline, card = opened.partner("airline"), opened.partner("card")
        statuses = [(await airline.ask("GET", "/transfers/t-1")).status for _ in range(3)]
        assert statuses == [404, 429, 429]
        limited = await airline.ask("GET", "/transfers/t-1")
        assert int(limited.headers["Retry-After"]) >= 1
        assert (await card.ask("GET", "/transfers/t-1")).status == 404


async def test_only_known_parameters_are_taken(airline: Partner) -> None:
    for path in ("/transfers/t-1?x=1", "/settlement?first=2017-10-01", "/settlement?first=1506816000&last=x"):
        answer = await airline.ask("GET", path)
        assert (answer.status, answer.json["type"]) == (400, "/api/#problem-bad_query")


async def test_the_settlement_of_a_period(airline: Partner, card_company: Partner, hub_town: Town) -> None:
    await airline.batch(transfer("t-1"), transfer("t-2", link=2, points=500, to="scheme:232343"))
    await card_company.batch(transfer("t-1", points=7))
    day = hub_town.process.clock.business_date()
    summary = await airline.get(f"/settlement?first={day}&last={day}")
    assert (summary["transfers"], summary["points"]) == (2, 1_500)
    lines = {(one["kind"], one["pool"], one["lg_code"]): one["points"] for one in summary["lines"]}
    assert lines == {("credit", "reserve", None): 1_000, ("credit", "scheme:232343", "232343"): 500}
    wrong = CorrectPosting(
        party_id=UUID(int=0xC1),
        command_id="c-1",
        request_hash=bytes(16),
        citizen_id=UUID(int=2),
        original_party_id=AIRLINE,
        original_command_id="t-2",
        asked_by=UUID(int=1),
        approved_by=UUID(int=2),
    )
    assert (await hub_town.process.bus.call(wrong, DEADLINE_S)).code is None
    corrected = await airline.get(f"/settlement?first={day}&last={day}")
    assert (corrected["transfers"], corrected["points"]) == (2, 1_000)
    assert [one["points"] for one in corrected["lines"] if one.get("reverses") == "credit"] == [500]
    before = day - timedelta(days=1)
    assert (await airline.get(f"/settlement?first={before}&last={before}"))["lines"] == []
    for period in (f"first={day}&last={before}", f"first={day - timedelta(days=1_097)}&last={day}"):
        assert (await airline.ask("GET", f"/settlement?{period}")).status == 400


class Registry:
    """Answers for the registry, and counts."""

    def __init__(self, answer: PartyKey) -> None:
        self.answer = answer
        self.asked = 0

    async def call(self, _message: Answered[PartyKey], deadline_s: float) -> PartyKey:
        assert deadline_s > 0
        self.asked += 1
        return self.answer


class Stopwatch(AdjustableClock):
    """A clock whose seconds the test counts."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


async def test_a_key_is_remembered_for_half_a_minute_and_an_unknown_one_is_not() -> None:
    key = PartyKey(party_id=UUID(int=1), kind=PartyKind.partner, algorithm=KeyAlgorithm.ed25519, key_bytes=bytes(32))
    registry, clock = Registry(key), Stopwatch()
    keys = partner_keys(registry, clock)  # type: ignore[arg-type]
    for _ in range(3):
        assert await keys("k") is not None
    assert registry.asked == 1
    clock.seconds = KEY_CACHE_S
    registry.answer = PartyKey()
    assert await keys("k") is None
    assert await keys("k") is None
    assert registry.asked == 3


async def test_of_many_at_once_with_one_nonce_one_is_first(hub_town: Town) -> None:
    nonces = partner_nonces(hub_town.process.database_of("partner"))
    later = datetime.now(UTC) + timedelta(minutes=6)
    firsts = await asyncio.gather(*(nonces.first_use("k", "n", later) for _ in range(50)))
    assert firsts.count(True) == 1
    assert await nonces.first_use("other", "n", later)


async def test_nonces_are_forgotten_when_their_signature_is_too_old(hub_town: Town) -> None:
    nonces = partner_nonces(hub_town.process.database_of("partner"))
    now = datetime.now(UTC)
    assert await nonces.first_use("k", "old", now - timedelta(seconds=1))
    assert await nonces.first_use("k", "new", now + timedelta(minutes=6))
    await nonces.forget()
    assert await nonces.first_use("k", "old", now)
    assert not await nonces.first_use("k", "new", now)


async def test_without_the_database_the_door_says_not_now(hub_town: Town, airline: Partner) -> None:
    await hub_town.process.database_of("partner").close()
    answer = await airline.ask("GET", "/transfers/t-1")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    with pytest.raises(TransientError):
        await partner_nonces(hub_town.process.database_of("partner")).forget()
