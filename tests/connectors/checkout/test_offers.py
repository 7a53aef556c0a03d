"""Points pay only for what their municipality has approved, as it is now; the office is told what it is asked."""

import asyncio
from uuid import UUID

from schemas.municipalities import RegisterSupportEvent
from schemas.offers import ApprovalState, ConsentToBusiness, DecideOffer, OffersOf, ReferBusiness, UsablePoolsOf
from schemas.values import RESERVE, event_pool
from tests.connectors.checkout.shops import CITY, FUND, NAMES, NOW, PAGE, POOL, SHOP, STAFF, Shop, Street, order
from tests.workers.registry.asking import ask, rows_of

TEA = "tea-100g"
DECIDED = "SELECT FROM hub.message WHERE type = 'jp.mykey.offers.decided.v1'"


def tea(**other: object) -> dict[str, object]:
    """A posting that is right, unless it is changed."""
    return {
        "offer_id": TEA,
        "title": "茶 100g",
        "merchant": "茶園",
        "page_url": f"{PAGE}tea",
        "lg_codes": [CITY],
        "revision": 1,
    } | other


def decision(revision: int = 1, party_id: UUID = SHOP, **other: object) -> DecideOffer:
    given = {"lg_code": CITY, "party_id": party_id, "offer_id": TEA, "revision": revision, "staff_id": STAFF}
    return DecideOffer.model_validate(given | {"approve": True} | other)


async def decided(street: Street, message: DecideOffer) -> str | None:
    return (await ask(street.process, message)).code


async def test_what_is_not_approved_takes_no_points_until_it_is(open_street: Street, shop: Shop) -> None:
    nothing_yet = await shop.done("POST", "/authorizations", order("o-1", item_ids=[TEA]))
    assert (nothing_yet["state"], nothing_yet["refusal"]["code"]) == ("refused", "not_approved")
    assert (await shop.done("POST", "/offers", tea())) == {"offer_id": TEA, "revision": 1, "asked": [CITY]}
    assert (await shop.done("POST", "/offers", tea()))["asked"] == []
    both = ["rice-5kg", TEA]
    assert (await shop.done("POST", "/authorizations", order("o-2", item_ids=both)))["state"] == "refused"

    assert await decided(open_street, decision(approve=False)) == "comment_missing"
    assert await decided(open_street, decision(approve=False, comment="産地を書いてください。")) is None
    told = await shop.done("GET", f"/offers/{TEA}")
    assert told["approvals"] == [{"lg_code": CITY, "state": "sent_back", "comment": "産地を書いてください。"}]
    again = await shop.done("POST", "/offers", tea(title="茶 100g（市内産）", revision=2))
    assert (again["revision"], again["asked"]) == (2, [CITY])
    assert await decided(open_street, decision(revision=1)) == "offer_changed"
    assert await decided(open_street, decision(revision=2)) is None
    assert (await shop.done("POST", "/authorizations", order("o-3", item_ids=both)))["state"] == "authorized"

    await shop.done("POST", "/offers", tea(title="別の茶", revision=3))
    assert (await shop.done("POST", "/authorizations", order("o-4", item_ids=both)))["state"] == "refused"
    same = await shop.done("POST", "/authorizations", order("o-3", item_ids=both))
    assert same["state"] == "authorized"


async def test_a_decision_that_is_asked_again_is_done_once_and_undoes_no_later_one(
    open_street: Street, shop: Shop, database_url: str
) -> None:
    await shop.done("POST", "/offers", tea())
    said_before = len(await rows_of(database_url, DECIDED))
    first = decision(decision_id=UUID(int=0xD1))
    for message in (first, first, decision(), decision(decision_id=UUID(int=0xD2))):
        assert await decided(open_street, message) is None
    assert len(await rows_of(database_url, DECIDED)) == said_before + 1, "the office has said nothing new"

    back_by_colleague = decision(staff_id=UUID(int=0x58), comment="産地を書いてください。", approve=False)
    assert await decided(open_street, back_by_colleague) is None
    back = [{"lg_code": CITY, "state": "sent_back", "comment": "産地を書いてください。"}]
    for late in (first, decision(decision_id=UUID(int=0xD2))):
        assert await decided(open_street, late) is None
        assert (await shop.done("GET", f"/offers/{TEA}"))["approvals"] == back
    other = back_by_colleague.model_copy(update={"decision_id": first.decision_id})
    assert await decided(open_street, other) == "id_conflict"
    await shop.done("POST", "/offers", tea(title="茶 100g（市内産）", revision=2))
    assert await decided(open_street, first) is None, "it was done, whatever was posted since"
    assert await decided(open_street, decision(2, decision_id=UUID(int=0xD4))) is None
    assert (await shop.done("GET", f"/offers/{TEA}"))["approvals"][0]["state"] == "approved"
    assert len(await rows_of(database_url, DECIDED)) == said_before + 3


async def test_a_posting_that_comes_late_or_under_a_used_number_changes_nothing(
    open_street: Street, shop: Shop
) -> None:
    first, second = tea(), tea(title="茶 100g（新茶）", revision=4)
    await shop.done("POST", "/offers", first)
    assert await decided(open_street, decision()) is None
    assert (await shop.done("POST", "/offers", second)) == {"offer_id": TEA, "revision": 4, "asked": [CITY]}
    assert await decided(open_street, decision(revision=4)) is None
    stands = await shop.done("GET", f"/offers/{TEA}")
    late = await shop.done("POST", "/offers", first)
    assert (late["revision"], late["asked"], late["refusal"]["code"]) == (4, [], "offer_older")
    assert (await shop.send("POST", "/offers", tea(title="茶 90g", revision=4)))[0] == 422
    assert (await shop.done("POST", "/offers", second)) == {"offer_id": TEA, "revision": 4, "asked": []}
    assert await shop.done("GET", f"/offers/{TEA}") == stands
    assert (await shop.done("POST", "/authorizations", order("o-1", item_ids=[TEA])))["state"] == "authorized"
    renumbered = await shop.done("POST", "/offers", second | {"revision": 5})
    assert (renumbered["revision"], renumbered["asked"]) == (5, []), "the same content stays approved"
    assert (await shop.done("POST", "/offers", second))["refusal"]["code"] == "offer_older"
    assert (await shop.done("POST", "/authorizations", order("o-2", item_ids=[TEA])))["state"] == "authorized"


async def test_postings_at_the_same_moment_end_in_the_highest_revision(open_street: Street, shop: Shop) -> None:
    posted = [tea(title=f"茶 {number}", revision=number) for number in range(1, 9)]
    await asyncio.gather(*(shop.done("POST", "/offers", one) for one in reversed(posted)))
    (found,) = (await ask(open_street.process, OffersOf(party_id=SHOP, offer_id=TEA))).offers
    assert (found.revision, found.title) == (8, "茶 8")


async def test_only_those_who_applied_are_asked_and_decide(open_street: Street, shop: Shop) -> None:
    refused = await shop.done("POST", "/offers", tea(lg_codes=[CITY, "402117"]))
    assert refused["refusal"]["code"] == "not_applied"
    assert (await shop.send("GET", f"/offers/{TEA}"))[0] == 404
    await shop.done("POST", "/offers", tea())
    assert (await open_street.party("fund").send("GET", f"/offers/{TEA}"))[0] == 404
    assert await decided(open_street, decision(lg_code="402117")) == "not_applied"
    assert await decided(open_street, decision(offer_id="other")) == "unknown_offer"
    assert (await shop.send("POST", "/offers", tea(lg_codes=["232344"])))[0] == 400


async def test_funds_are_found_by_region_and_selected_without_being_asked(open_street: Street) -> None:
    fund = open_street.party("fund")
    posted = tea(lg_codes=[], region="愛知県", industry="食品")
    assert (await fund.done("POST", "/offers", posted))["asked"] == []
    found = (await ask(open_street.process, OffersOf(lg_code=CITY, region="愛知県", industry="食品"))).offers
    assert [(one.offer_id, one.party, one.approvals) for one in found] == [(TEA, NAMES["fund"], [])]
    assert await decided(open_street, decision(party_id=FUND)) is None
    assert (await fund.done("POST", "/authorizations", order("o-1", item_ids=[TEA])))["state"] == "authorized"
    page = await ask(open_street.process, OffersOf(lg_code=CITY, state=ApprovalState.approved, limit=2))
    rest = await ask(
        open_street.process, OffersOf(lg_code=CITY, state=ApprovalState.approved, limit=2, after=page.after)
    )
    assert sorted(one.offer_id for one in [*page.offers, *rest.offers]) == ["rice-5kg", "rice-5kg", TEA]
    assert rest.after is None


async def test_events_of_a_municipality_may_be_used_for_what_it_has_approved(open_street: Street) -> None:
    mine, other = UUID(int=0xE1), UUID(int=0xE2)
    for event_id, lg_code in ((mine, CITY), (other, "402117")):
        event = RegisterSupportEvent(
            event_id=event_id, lg_code=lg_code, point_name="催し", first=NOW.date(), last=NOW.date()
        )
        await ask(open_street.process, event)
    await open_street.process.drained(deadline_s=10)
    pools = [RESERVE, POOL, event_pool(mine), event_pool(other), "scheme:402117"]
    asked = UsablePoolsOf(party_id=SHOP, offer_ids=["rice-5kg"], pools=pools)
    assert (await ask(open_street.process, asked)).pools == [POOL, event_pool(mine)]


async def test_a_business_opens_by_no_fund_that_was_sent_back(open_street: Street) -> None:
    fund, process, referral_id = open_street.party("fund"), open_street.process, UUID(int=7)
    await fund.done("POST", "/offers", tea())
    back = decision(party_id=FUND, approve=False, comment="産地を書いてください。")
    assert await decided(open_street, back) is None
    refer = ReferBusiness(referral_id=referral_id, lg_code=CITY, party_id=FUND, business="茶園")
    consent = ConsentToBusiness(referral_id=referral_id, party_id=FUND, lg_code=CITY, staff_id=STAFF)
    await ask(process, refer)
    await fund.done("POST", f"/referrals/{referral_id}/screening", {"passed": True})
    assert (await ask(process, consent)).code is None
    for revision in (1, 2):
        await fund.done("POST", "/offers", tea(title=f"茶 {revision}00g", revision=revision))
        before = (await fund.done("GET", f"/offers/{TEA}"))["approvals"]
        opened = await fund.done("POST", f"/referrals/{referral_id}/open", {"offer_id": TEA})
        assert opened["refusal"]["code"] == "offer_sent_back"
        assert (await fund.done("GET", f"/offers/{TEA}"))["approvals"] == before
    assert await decided(open_street, decision(2, FUND)) is None
    assert "refusal" not in await fund.done("POST", f"/referrals/{referral_id}/open", {"offer_id": TEA})


async def test_a_referred_business_is_screened_consented_to_and_opened(open_street: Street, shop: Shop) -> None:
    fund, referral_id = open_street.party("fund"), UUID(int=7)
    refer = ReferBusiness(referral_id=referral_id, lg_code=CITY, party_id=FUND, business="茶園")
    consent = ConsentToBusiness(referral_id=referral_id, party_id=FUND, lg_code=CITY, staff_id=STAFF)
    steps = f"/referrals/{referral_id}"
    missing = await fund.done("POST", f"{steps}/screening", {"passed": True})
    assert missing["refusal"]["code"] == "no_referral"
    assert [(await ask(open_street.process, refer)).code for _ in range(2)] == [None, None]
    assert (await ask(open_street.process, consent)).code == "referral_state"
    others = await shop.done("POST", f"{steps}/screening", {"passed": True})
    assert others["refusal"]["code"] == "no_referral"
    passed = [await fund.done("POST", f"{steps}/screening", {"passed": True}) for _ in range(2)]
    assert passed == [{"referral_id": str(referral_id)}] * 2
    failed = await fund.done("POST", f"{steps}/screening", {"passed": False})
    assert failed["refusal"]["code"] == "referral_state"
    early = await fund.done("POST", f"{steps}/open", {"offer_id": TEA})
    assert early["refusal"]["code"] == "referral_state"
    assert (await ask(open_street.process, consent)).code is None
    assert await fund.done("POST", f"{steps}/screening", {"passed": True}) == passed[0], "done, whatever came after it"
    assert (await fund.done("POST", f"{steps}/open", {"offer_id": TEA}))["refusal"]["code"] == "unknown_offer"
    await fund.done("POST", "/offers", tea(lg_codes=[]))
    opened = [await fund.done("POST", f"{steps}/open", {"offer_id": TEA}) for _ in range(2)]
    assert opened == passed
    assert (await ask(open_street.process, consent)).code is None
    await fund.done("POST", "/offers", tea(offer_id="other", lg_codes=[]))
    other = await fund.done("POST", f"{steps}/open", {"offer_id": "other"})
    assert other["refusal"]["code"] == "referral_state", "it opened by another fund"
    assert (await fund.done("GET", "/offers/other"))["approvals"] == []
    assert [one["state"] for one in (await fund.done("GET", "/referrals"))["referrals"]] == ["open"]
    assert (await fund.done("POST", "/authorizations", order("o-1", item_ids=[TEA])))["state"] == "authorized"
