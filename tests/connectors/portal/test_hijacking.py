"""Nobody's account gets linked to somebody else: pre-hijacking, log-in CSRF, mix-up of two providers."""

import pytest

from schemas.id_links import CALLBACK
from tests.connectors.portal.street import CARD_COMPANY, Parties
from tests.connectors.portal.town import AIRLINE
from tests.workers.registry.people import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
OVER = "この連携の手続きは終わっているか"
UNPROVEN = "サービスからの回答を確認できなかったため"


async def test_a_mail_address_links_nobody(street: Parties) -> None:
    """Classic-federated merge: the account's mail address is another citizen's, who is not touched by it."""
    victim, _victim_id = await street.town.somebody()
    attacker, _attacker_id = await street.town.somebody()
    done = await street.linked(attacker, login="other")
    assert "ID連携が完了しました。" in done.words
    listed = await victim.get("/my/services")
    assert "連携中" not in listed.words


async def test_one_account_is_one_citizens(street: Parties) -> None:
    """Trojan identifier: whoever has linked an account first keeps it, until the link is ended."""
    first, _first_id = await street.town.somebody()
    second, _second_id = await street.town.somebody()
    in_another_tab = await street.log_in_at(await street.begin(first), "member")
    await street.linked(first, login="third")
    refused = await street.linked(second, login="third")
    assert refused.status == 409
    assert "別のマイキーIDにすでに連携されています" in refused.words
    other_account = await street.confirmed(first, await first.get(in_another_tab))
    assert "先にその連携を解除してください" in other_account.words


async def test_an_answer_is_good_only_where_the_linking_began(street: Parties) -> None:
    """Log-in CSRF: an attacker's answer in the victim's browser links nothing, nor the other way round."""
    attacker, _attacker_id = await street.town.somebody()
    victim, _victim_id = await street.town.somebody()
    answer = await street.log_in_at(await street.begin(attacker))
    assert OVER in (await victim.get(answer)).words
    fresh = street.town.browser()
    assert "/login" in (await fresh.get(answer)).path
    trapped = await street.log_in_at(await street.begin(victim))
    assert OVER in (await attacker.get(trapped)).words
    assert (await victim.get(trapped)).status == 200, "what others try does not end it"


async def test_another_log_in_ends_what_was_begun(street: Parties) -> None:
    """Unexpired session: who sat here before and began a linking does not get it confirmed by the next one."""
    browser, _citizen_id = await street.town.somebody()
    answer = await street.log_in_at(await street.begin(browser))
    other, _other_id = await street.town.somebody()
    assert OVER in (await other.get(answer)).words
    again, _page = await street.town.logged_in()
    began = await street.log_in_at(await street.begin(again))
    once_more, _page = await street.town.logged_in()
    assert OVER in (await once_more.get(began)).words


async def test_an_answer_is_taken_once_and_the_person_is_asked(street: Parties) -> None:
    """Unexpired change: nothing stands before the person at the screen has said who they are, and nothing twice."""
    browser, _citizen_id = await street.town.somebody()
    answer = await street.log_in_at(await street.begin(browser))
    page = await browser.get(answer)
    assert page.path.startswith("/my/identity")
    assert OVER in (await browser.get(answer)).words
    wrong = await browser.submit(page, "/my/identity", password="wrong password 1")
    assert wrong.status == 422
    confirm = await browser.submit(page, "/my/identity", password=PASSWORD)
    assert "会員ID" in confirm.words
    assert await street.link_id("member-000000001") is None


async def test_a_provider_speaks_for_its_own_members_only(street: Parties) -> None:
    """Non-verifying provider: the same subject at another issuer is another account; another's issuer is refused."""
    browser, _citizen_id = await street.town.somebody()
    street.card_company.twist = {"iss": street.airline.issuer}
    try:
        page = await street.to_confirm(browser, CARD_COMPANY)
    finally:
        street.card_company.twist = {}
    assert UNPROVEN in page.words
    await street.linked(browser, CARD_COMPANY)
    assert await street.link_id("member-000000001", CARD_COMPANY) is not None
    assert await street.link_id("member-000000001", AIRLINE) is None


async def test_the_answer_of_one_provider_is_never_taken_to_another(street: Parties) -> None:
    """Mix-up: the airline's linking is answered by the card company, at either address, with either name."""
    browser, _citizen_id = await street.town.somebody()
    airline_state = await street.begin(browser)
    request = street.airline.requests[airline_state.partition("request_uri=")[2].replace("%3A", ":")]
    from_card = await street.log_in_at(await street.begin(browser, CARD_COMPANY))
    code = from_card.partition("code=")[2].partition("&")[0]
    state = request["state"]
    mixed = f"{CALLBACK}{AIRLINE}?state={state}&code={code}&iss={street.card_company.issuer}"
    assert UNPROVEN in (await browser.get(mixed)).words
    assert not street.card_company.codes[code].used, "the code went nowhere"
    state = from_card.partition("state=")[2].partition("&")[0]
    assert OVER in (await browser.get(f"{CALLBACK}{AIRLINE}?state={state}&code={code}")).words
    nameless = await street.log_in_at(await street.begin(browser))
    assert UNPROVEN in (await browser.get(nameless.replace("&iss=", "&ignored="))).words


@pytest.mark.parametrize(
    "twist",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"aud": ["mykey-hub", "another-client"]},
        {"exp": 1_700_000_000},
        {"sub": ""},
    ],
    ids=str,
)
async def test_a_wrong_id_token_proves_nobody(street: Parties, twist: dict[str, object]) -> None:
    browser, _citizen_id = await street.town.somebody()
    street.airline.twist = twist
    try:
        page = await street.to_confirm(browser)
    finally:
        street.airline.twist = {}
    assert page.status == 409
    assert UNPROVEN in page.words
