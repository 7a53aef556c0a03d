"""Links between citizens and partners: one to one at each partner, looked up by the thousand."""

from uuid import UUID

from hub.process import HubProcess
from schemas.citizens import LinkCitizen, LinkedCitizensOf
from schemas.values import LANES
from tests.workers.registry.asking import ask, said
from tests.workers.registry.conftest import OTHER_PARTNER, PARTNER, STORE, citizen

A, B = 1, 2


def link(number: int, link_id: str, party_id: UUID = PARTNER) -> LinkCitizen:
    return LinkCitizen(citizen_id=UUID(int=number), party_id=party_id, link_id=link_id)


async def test_a_link_is_one_to_one_at_each_partner(world: HubProcess, database_url: str) -> None:
    await world.bus.call_many([citizen(A), citizen(B)], 10)
    for asked, code in (
        (link(A, "al-1"), None),
        (link(A, "al-1"), None),
        (link(B, "al-1"), "link_taken"),
        (link(A, "al-2"), "already_linked"),
        (link(B, "al-2"), None),
        (link(A, "al-2", OTHER_PARTNER), None),
        (link(A, "al-9", STORE), "unknown_party"),
        (link(A, "al-9", UUID(int=0xFF)), "unknown_party"),
        (link(99, "al-9"), "unknown_citizen"),
    ):
        assert (await ask(world, asked)).code == code
    assert (await said(database_url)).count("citizens.linked") == 3


async def test_in_one_run_each_gets_its_own_answer(world: HubProcess) -> None:
    first, second = LANES, 2 * LANES
    await world.bus.call_many([citizen(first), citizen(second)], 10)
    asked = [link(first, "x"), link(first, "x"), link(second, "x"), link(first, "y"), link(second, "y")]
    answers = await world.bus.call_many(asked, 10)
    assert [answer.code for answer in answers] == [None, None, "link_taken", "already_linked", None]


async def test_one_link_id_claimed_by_many_at_once_goes_to_one(world: HubProcess) -> None:
    numbers = range(1, 65)
    await world.bus.call_many([citizen(number) for number in numbers], 10)
    answers = await world.bus.call_many([link(number, "wanted") for number in numbers], 10)
    assert sorted(str(answer.code) for answer in answers) == ["None"] + ["link_taken"] * 63


async def test_links_are_looked_up_by_the_thousand(world: HubProcess) -> None:
    numbers = range(1, 2001)
    await world.bus.call_many([citizen(number) for number in numbers], 30)
    await world.bus.call_many([link(number, f"al-{number}") for number in numbers], 30)
    link_ids = [f"al-{number}" for number in numbers] + ["unknown", "", "al-1 ", "x" * 65]
    found = await ask(world, LinkedCitizensOf(party_id=PARTNER, link_ids=link_ids))
    assert found.citizens == {f"al-{number}": UUID(int=number) for number in numbers}
    assert (await ask(world, LinkedCitizensOf(party_id=OTHER_PARTNER, link_ids=link_ids))).citizens == {}
    assert (await ask(world, LinkedCitizensOf(party_id=PARTNER, link_ids=[]))).citizens == {}
