"""「自動生成」 and 「重複チェック」 on a real database: kept, never given twice, forgotten after a day."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from hub.clock import AdjustableClock
from hub.component import Component, Context, Installed
from hub.keys import Keys
from hub.process import HubProcess
from hub.settings import Settings
from schemas.citizens import Candidate, CheckMyKeyId, OfferMyKeyId
from tests.running import SECRET_KEY, running
from tests.workers.registry.asking import ask, asked_meanwhile, rows_of
from tests.workers.registry.conftest import BASE, citizen, open_world
from workers.registry.component import component
from workers.registry.enrolments import KEPT_FOR, Enrolments

ONE, OTHER = UUID(int=0x11), UUID(int=0x22)


async def offer(process: HubProcess, enrolment_id: UUID, attempt: int) -> Candidate:
    return await ask(process, OfferMyKeyId(enrolment_id=enrolment_id, attempt=attempt))


async def check(process: HubProcess, enrolment_id: UUID, mykey_id: str) -> Candidate:
    return await ask(process, CheckMyKeyId(enrolment_id=enrolment_id, mykey_id=mykey_id))


async def test_three_offers_and_the_third_is_the_one(world: HubProcess) -> None:
    offers = [await offer(world, ONE, attempt) for attempt in (1, 2, 3)]
    assert [one.tries_left for one in offers] == [2, 1, 0]
    assert len({one.mykey_id for one in offers}) == 3
    assert await offer(world, ONE, 3) == offers[2]
    assert await offer(world, ONE, 1) == offers[2]
    refused = citizen(1, mykey_id=offers[0].mykey_id, enrolment_id=ONE)
    assert (await ask(world, refused)).code == "mykey_id_not_kept"
    assert (await check(world, ONE, "OWNCHOIC")).code == "tries_used_up"
    taken = citizen(1, mykey_id=offers[2].mykey_id, enrolment_id=ONE)
    assert (await ask(world, taken)).id == taken.citizen_id


async def test_a_press_asked_twice_offers_the_same(world: HubProcess) -> None:
    first = await offer(world, ONE, 1)
    assert await offer(world, ONE, 1) == first
    assert (await offer(world, ONE, 2)).mykey_id != first.mykey_id


async def test_three_failed_checks_leave_only_automatic(world: HubProcess) -> None:
    for number in (1, 2, 3):
        await ask(world, citizen(number))
    answers = [await check(world, ONE, f"{number:08d}") for number in (1, 2, 3)]
    assert [(a.free, a.code, a.tries_left) for a in answers] == [
        (False, "mykey_id_taken", 2),
        (False, "mykey_id_taken", 1),
        (False, "mykey_id_taken", 0),
    ]
    assert (await check(world, ONE, "FREEFREE")).code == "tries_used_up"
    assert (await offer(world, ONE, 1)).free


@pytest.mark.parametrize("failed", [0, 1])
async def test_a_failed_check_that_another_process_counts_meanwhile_counts(world: HubProcess, failed: int) -> None:
    await ask(world, citizen(1))
    for _ in range(failed):
        await check(world, ONE, "00000001")
    elsewhere, asked = Enrolments(Keys(SECRET_KEY.encode())), CheckMyKeyId(enrolment_id=ONE, mykey_id="00000001")
    answer = await asked_meanwhile(world, lambda tx: elsewhere.check([asked], tx), asked)
    assert answer.tries_left == 1 - failed


async def test_a_free_choice_is_kept_for_its_enrolment_only(world: HubProcess) -> None:
    assert (await check(world, ONE, "MYCHOICE")).free
    assert (await check(world, OTHER, "MYCHOICE")).code == "mykey_id_taken"
    assert (await ask(world, citizen(1, mykey_id="MYCHOICE"))).code == "mykey_id_taken"
    others = citizen(2, mykey_id="MYCHOICE", enrolment_id=OTHER)
    assert (await ask(world, others)).code == "mykey_id_not_kept"
    own = citizen(3, mykey_id="MYCHOICE", enrolment_id=ONE)
    assert (await ask(world, own)).code is None
    assert (await ask(world, own)).code is None


async def test_a_refused_registration_keeps_the_enrolment(world: HubProcess) -> None:
    await check(world, ONE, "MYCHOICE")
    without_scheme = citizen(1, mykey_id="MYCHOICE", enrolment_id=ONE, base_lg_code="131016")
    assert (await ask(world, without_scheme)).code == "no_scheme"
    mended = citizen(1, mykey_id="MYCHOICE", enrolment_id=ONE, base_lg_code=BASE)
    assert (await ask(world, mended)).code is None


async def test_one_choice_by_many_at_once_is_kept_for_one(world: HubProcess) -> None:
    asked = [CheckMyKeyId(enrolment_id=uuid4(), mykey_id="WANTEDID") for _ in range(48)]
    answers = await world.bus.call_many(asked, 10)
    assert sum(answer.free for answer in answers) == 1
    assert {answer.code for answer in answers} == {None, "mykey_id_taken"}


async def test_an_offer_is_kept_for_a_day(database_url: str) -> None:
    clock = AdjustableClock()
    async with running(database_url, "registry", clock=clock) as process:
        await open_world(process)
        assert (await check(process, ONE, "MYCHOICE")).free
        clock.advance(KEPT_FOR - timedelta(minutes=1))
        assert (await check(process, OTHER, "MYCHOICE")).code == "mykey_id_taken"
        clock.advance(timedelta(minutes=2))
        assert (await check(process, OTHER, "MYCHOICE")).free
        late = citizen(1, mykey_id="MYCHOICE", enrolment_id=ONE)
        assert (await ask(process, late)).code == "mykey_id_not_kept"


def drawing(*draws: str) -> Installed:
    """A registry whose chance brings these MyKey IDs, in this order."""
    rest = iter(draws)

    def build(context: Context) -> Component:
        registry = component(context)
        enrolments = Enrolments(Keys(context.settings.key()), lambda: next(rest))
        return replace(registry, handlers={**registry.handlers, OfferMyKeyId: enrolments.offer})

    return Installed("registry", build)


async def test_what_others_have_is_drawn_again(database_url: str) -> None:
    draws = ("00000001", "00000002", "00000002", "00000003")
    settings = Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))
    async with HubProcess(settings, AdjustableClock(), [drawing(*draws)], database_url) as process:
        await open_world(process)
        await ask(process, citizen(1))
        assert (await offer(process, ONE, 1)).mykey_id == "00000002"
        assert (await offer(process, OTHER, 1)).mykey_id == "00000003"


async def test_an_enrolment_tells_nothing_to_who_reads_the_table(world: HubProcess, database_url: str) -> None:
    await check(world, ONE, "MYCHOICE")
    (row,) = await rows_of(database_url, "SELECT enrolment::text AS text FROM registry.enrolment")
    assert "MYCHOICE" not in row["text"]
    assert b"MYCHOICE".hex() not in row["text"]
