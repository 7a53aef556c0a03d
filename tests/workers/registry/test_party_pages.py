"""What citizens see of partners, and of their links to them."""

from datetime import date
from uuid import UUID

import pytest
from pydantic import ValidationError

from hub.process import HubProcess
from schemas.citizens import LinkCitizen, LinkedCitizensOf
from schemas.links import PNG_HEAD, Linkage, LinksOf, LogoOf, PartiesOf, PresentParty, UnlinkCitizen
from schemas.municipalities import PrefecturesOf, RegisterSupportEvent, SupportEventsOf
from schemas.parties import PartyKind
from tests.workers.registry.asking import ask, said
from tests.workers.registry.conftest import BASE, OTHER_PARTNER, PARTNER, STORE, citizen

AICHI = "230006"
PNG = PNG_HEAD + b"a picture"


def present(party_id: UUID = PARTNER, **changes: object) -> PresentParty:
    fields: dict[str, object] = {"linkage": Linkage.coupon, "page_url": "https://card.example/points?from=mykey"}
    return PresentParty.model_validate({"party_id": party_id, **fields, **changes})


async def test_parties_are_shown_as_they_were_last_presented(world: HubProcess) -> None:
    assert (await ask(world, present(about="前の説明"))).code is None
    assert (await ask(world, present(about="説明", logo=PNG))).code is None
    assert (await ask(world, present(UUID(int=0xFF)))).code == "unknown_party"
    found = (await ask(world, PartiesOf(kinds=(PartyKind.partner,)))).parties
    shown = {one.party_id: (one.linkage, one.about, one.has_logo) for one in found}
    assert shown == {PARTNER: (Linkage.coupon, "説明", True), OTHER_PARTNER: (None, "", False)}
    assert [one.party_id for one in (await ask(world, PartiesOf(party_ids=(STORE,)))).parties] == [STORE]
    assert (await ask(world, LogoOf(party_id=PARTNER))).png == PNG
    assert (await ask(world, LogoOf(party_id=OTHER_PARTNER))).png == b""


@pytest.mark.parametrize(
    "changes",
    [
        {"logo": b"<svg onload=alert(1)>"},
        {"page_url": "javascript:alert(1)"},
        {"page_url": 'https://card.example/"><script>'},
        {"page_url": "https://card.example@evil.example/"},
        {"about": "一行\n二行"},
    ],
)
def test_what_could_do_harm_on_a_page_is_not_taken(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        present(PARTNER, **changes)


async def test_a_citizen_sees_links_and_ends_them(world: HubProcess, database_url: str) -> None:
    await ask(world, citizen(1))
    for party_id in (PARTNER, OTHER_PARTNER):
        await ask(world, LinkCitizen(citizen_id=UUID(int=1), party_id=party_id, link_id="al-1"))
    links = (await ask(world, LinksOf(citizen_id=UUID(int=1)))).links
    assert [one.party_id for one in links] == [OTHER_PARTNER, PARTNER]
    ending = UnlinkCitizen(citizen_id=UUID(int=1), party_id=PARTNER)
    assert [one.code for one in await world.bus.call_many([ending, ending], 10)] == [None, None]
    assert (await ask(world, UnlinkCitizen(citizen_id=UUID(int=9), party_id=PARTNER))).code == "unknown_citizen"
    assert [one.party_id for one in (await ask(world, LinksOf(citizen_id=UUID(int=1)))).links] == [OTHER_PARTNER]
    assert (await ask(world, LinkedCitizensOf(party_id=PARTNER, link_ids=["al-1"]))).citizens == {}
    assert (await said(database_url)).count("links.unlinked") == 1


async def test_events_and_prefectures_to_choose_from(world: HubProcess) -> None:
    for number, (lg_code, last) in enumerate([(AICHI, date(2017, 12, 31)), (BASE, date(2017, 9, 30))]):
        event = RegisterSupportEvent(
            event_id=UUID(int=number), lg_code=lg_code, point_name="祭り", first=date(2017, 9, 1), last=last
        )
        await ask(world, event)
    today = date(2017, 10, 2)
    open_now = (await ask(world, SupportEventsOf(prefecture=AICHI, day=today))).support_events
    assert [(one.event_id, one.holder) for one in open_now] == [(UUID(int=0), "愛知県")]
    assert len((await ask(world, SupportEventsOf())).support_events) == 2
    assert (await ask(world, SupportEventsOf(prefecture="400009", day=today))).support_events == []
    prefectures = (await ask(world, PrefecturesOf(day=today))).prefectures
    chosen = {one.name: (one.schemes, one.support_events) for one in prefectures}
    assert len(chosen) == 47
    assert (chosen["愛知県"], chosen["福岡県"], chosen["北海道"]) == ((1, 1), (1, 0), (0, 0))
