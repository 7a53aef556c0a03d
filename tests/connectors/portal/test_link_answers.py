"""What comes back for a linking is taken only as FAPI 2.0 has it: each request new, each answer its own, each once."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from connectors.partner.id_link.linking_store import ANSWER_FOR, LINKING_FOR
from connectors.partner.outbound import Got, Outbound, UnreachedError
from connectors.portal.citizen.linking import BEGIN_BURST
from hub.clock import AdjustableClock
from schemas.id_links import CALLBACK, MembershipCheck, OpenIdProvider, SetUpLinkage
from tests.connectors.portal.street import CARD_COMPANY, CLIENT_ID, POWER_COMPANY, Parties
from tests.connectors.portal.town import AIRLINE
from tests.waiting import wait_until
from tests.workers.registry.asking import ask

pytestmark = pytest.mark.asyncio(loop_scope="module")
OVER = "この連携の手続きは終わっているか"
UNPROVEN = "サービスからの回答を確認できなかったため"
PARKED = "SELECT count(*) FROM hub.delivery WHERE receiver = 'partner.outside' AND state = 'parked'"
KEPT = "SELECT count(*) FROM partner.account WHERE ended_at IS NOT NULL"
OUTAGE = "SELECT error FROM hub.outage WHERE receiver = 'partner.outside' AND destination = $1 AND ended_at IS NULL"


async def test_each_request_is_new_and_asks_for_no_more_than_a_link_needs(street: Parties) -> None:
    """ASVS 10.4.6, 10.2.1, 10.5.1: PKCE by S256, state, nonce, request_uri and assertion are used once."""
    browser, _citizen_id = await street.town.somebody()
    assertions = len(street.airline.assertions)
    ways = [urlsplit(await street.begin(browser)) for _ in range(2)]
    queries = [parse_qs(way.query) for way in ways]
    assert [query.keys() for query in queries] == [{"client_id", "request_uri"}] * 2, "the browser carries nothing else"
    asked = [street.airline.requests[query["request_uri"][0]] for query in queries]
    for one in asked:
        assert one["redirect_uri"] == f"{street.town.url}{CALLBACK}{AIRLINE}"
        assert (one["response_type"], one["scope"], one["prompt"]) == ("code", "openid", "login")
        assert one["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge", "client_assertion"):
        assert asked[0][name] != asked[1][name]
        assert min(len(one[name]) for one in asked) >= 43
    assert len(street.airline.assertions) == assertions + 2


async def test_a_code_is_good_for_the_linking_that_it_was_given_for(street: Parties) -> None:
    """Code injection: somebody else's code at the same provider, in one's own linking."""
    victim, _victim_id = await street.town.somebody()
    attacker, _attacker_id = await street.town.somebody()
    stolen = await street.log_in_at(await street.begin(victim), "third")
    own = await street.log_in_at(await street.begin(attacker))
    code, own_code = (parse_qs(urlsplit(one).query)["code"][0] for one in (stolen, own))
    assert UNPROVEN in (await attacker.get(own.replace(own_code, code))).words
    assert OVER in (await attacker.get(own)).words, "a wrong answer ends the linking"


async def test_an_answer_without_its_own_state_is_none(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    answer = await street.log_in_at(await street.begin(browser))
    state = parse_qs(urlsplit(answer).query)["state"][0]
    for other in (state[:-1], state + "A", state.swapcase(), "A" * 43, f"{state}%00", "%20" + state):
        assert OVER in (await browser.get(answer.replace(state, other))).words, other
    assert (await browser.get(answer.replace(f"state={state}", "ignored=1"))).path == f"/my/services/{AIRLINE}"
    for spoilt in (f"{answer}&state={state}", f"{answer}&code=x", answer.replace(state, "A" * 2_049)):
        assert (await browser.get(spoilt)).status == 400, spoilt
    assert (await browser.get(answer)).path.startswith("/my/identity"), "none of that has ended it"


async def test_each_party_has_one_address_to_the_letter(street: Parties) -> None:
    """ASVS 10.4.1: suffix, case and other spellings of it are no address of ours."""
    browser, _citizen_id = await street.town.somebody()
    answer = await street.log_in_at(await street.begin(browser))
    path, _, query = answer.partition("?")
    for other in (f"{path}/", f"{path}/x", path.replace("a1", "A1"), path.upper()):
        assert (await browser.get(f"{other}?{query}", follow=False)).status == 404, other
    assert OVER in (await browser.get(f"{CALLBACK}{CARD_COMPANY}?{query}")).words
    assert (await browser.get(answer)).path.startswith("/my/identity")


def later(street: Parties, by: timedelta) -> None:
    """So much time has gone by."""
    clock = street.town.process.clock
    assert isinstance(clock, AdjustableClock)
    clock.advance(by)


async def test_an_answer_that_comes_too_late_is_none(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    answer = await street.log_in_at(await street.begin(browser))
    later(street, LINKING_FOR)
    assert OVER in (await browser.get(answer)).words
    browser, _citizen_id = await street.town.somebody()
    confirm = await street.to_confirm(browser)
    later(street, LINKING_FOR)
    assert OVER in (await street.confirmed(browser, confirm)).words


async def test_a_partys_own_answer_is_good_for_a_minute_and_where_it_was_asked_for(street: Parties) -> None:
    """ASVS 10.4.3, and a victim lured to the party's page by an attacker's linking."""
    attacker, _attacker_id = await street.town.somebody()
    victim, _victim_id = await street.town.somebody()
    for late in (timedelta(0), ANSWER_FOR):
        linking = (await street.begin(attacker, POWER_COMPANY)).partition("linking=")[2]
        told = {"linking": linking, "subject": "K-0009"}
        return_to = (await street.post("/membership-answers", told, POWER_COMPANY))["return_to"]
        if late:
            later(street, late)
            assert OVER in (await attacker.get(return_to.removeprefix(street.town.url))).words
        else:
            assert OVER in (await victim.get(return_to.removeprefix(street.town.url))).words
            guessed = f"{CALLBACK}{POWER_COMPANY}?state={linking}&code={'A' * 43}"
            assert UNPROVEN in (await attacker.get(guessed)).words
    assert await street.link_id("K-0009", POWER_COMPANY) is None


async def test_one_party_does_not_answer_for_another(street: Parties) -> None:
    browser, _citizen_id = await street.town.somebody()
    process = street.town.process
    check = MembershipCheck(login_url="http://127.0.0.1:1/members/login")
    await ask(process, SetUpLinkage(party_id=CARD_COMPANY, membership=check))
    try:
        linking = (await street.begin(browser, POWER_COMPANY)).partition("linking=")[2]
        told = {"linking": linking, "subject": "K-0008"}
        await street.post("/membership-answers", told, CARD_COMPANY, 404)
        assert (await street.post("/membership-answers", told, POWER_COMPANY))["return_to"]
    finally:
        way = OpenIdProvider(issuer=street.card_company.issuer, client_id=CLIENT_ID)
        await ask(process, SetUpLinkage(party_id=CARD_COMPANY, provider=way))


async def test_whoever_begins_again_and_again_waits(street: Parties) -> None:
    """ASVS 2.4.1: each asks something of the partner."""
    browser, _citizen_id = await street.town.somebody()
    page = await browser.get(f"/my/services/{AIRLINE}")
    statuses = [(await browser.submit(page, f"/my/services/{AIRLINE}/link")).status for _ in range(BEGIN_BURST + 1)]
    assert statuses == [200] * BEGIN_BURST + [429]


async def test_tokens_that_are_not_taken_back_are_kept_and_told_of(street: Parties, shared_database_url: str) -> None:
    """ASVS 10.7.3: a provider that refuses a revocation has not revoked anything."""
    browser, _citizen_id = await street.town.somebody()
    await street.linked(browser, CARD_COMPANY, "other")
    held = set(street.card_company.tokens)
    street.card_company.refuses = "/revoke"
    connection = await asyncpg.connect(shared_database_url)
    try:
        page = await browser.get(f"/my/services/{CARD_COMPANY}/unlink")
        await browser.submit(page, f"/my/services/{CARD_COMPANY}/unlink")
        assert await street.link_id("member-000000002", CARD_COMPANY) is None, "the link has ended all the same"

        async def is_parked() -> bool:
            return bool(await connection.fetchval(PARKED))

        await wait_until(is_parked, deadline_s=15)
        assert await connection.fetchval(KEPT) == 1
    finally:
        street.card_company.refuses = ""
        await connection.close()
    assert street.card_company.tokens == held


async def test_tokens_wait_for_a_provider_that_is_not_reached(
    street: Parties, shared_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try finds the outage, as with every other side; it costs no attempt."""
    browser, _citizen_id = await street.town.somebody()
    before = set(street.airline.tokens)
    await street.linked(browser, AIRLINE, "other")
    connection = await asyncpg.connect(shared_database_url)

    async def nobody_there(*_asked: object) -> Got:
        raise UnreachedError("ClientConnectorError")

    async def told() -> object:
        return await connection.fetchval(OUTAGE, str(AIRLINE))

    try:
        with monkeypatch.context() as away:
            away.setattr(Outbound, "post", nobody_there)
            page = await browser.get(f"/my/services/{AIRLINE}/unlink")
            await browser.submit(page, f"/my/services/{AIRLINE}/unlink")
            assert await wait_until(told) == "OutsideDownError"
        await wait_until(lambda: street.airline.tokens == before, deadline_s=30)
    finally:
        await connection.close()


@pytest.mark.parametrize("status", [408, 429])
async def test_tokens_wait_for_a_provider_that_is_busy(
    street: Parties, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    browser, _citizen_id = await street.town.somebody()
    before = set(street.airline.tokens)
    await street.linked(browser, AIRLINE, "other")
    post, busy = Outbound.post, [Got(status, "text/plain", b"", 0.1)]

    async def busy_once(outbound: Outbound, url: str, body: dict[str, str]) -> Got:
        return busy.pop() if busy else await post(outbound, url, body)

    monkeypatch.setattr(Outbound, "post", busy_once)
    page = await browser.get(f"/my/services/{AIRLINE}/unlink")
    await browser.submit(page, f"/my/services/{AIRLINE}/unlink")
    await wait_until(lambda: street.airline.tokens == before, deadline_s=30)
    assert busy == []
