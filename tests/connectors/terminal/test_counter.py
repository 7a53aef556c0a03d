"""The wrong-person rules of the counter, and its sessions: real processes, a real uplink, virtual cards."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from hub.clock import AdjustableClock
from hub.errors import PermanentError
from schemas.service_ids import LinkedCloseTogether
from schemas.terminals import SuspendTerminal
from tests.connectors.terminal.agents import CITY, DEADLINE_S
from tests.connectors.terminal.counters import Clerk, Town, creation, town
from tests.journeys.counter import tell
from tests.peers.card.authority import CardAuthority
from tests.peers.card.card import FelicaCard, JpkiCard
from tests.waiting import quick_enough, wait_until

SESSIONS = "SELECT count(*) FROM registry.session"
SERIAL = "SELECT serial_sealed FROM registry.service_id"
NOTICED = "SELECT card_id FROM registry.address_notice"
ENDED_LIMIT_S = 1.0
NUMBER, OTHER_NUMBER = "180000000011", "180000000029"


@pytest.fixture
async def here(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, clock: AdjustableClock
) -> AsyncIterator[Town]:
    async with town(database_url, tmp_path, card_authority, clock) as made:
        yield made


def code_of(answer: Any) -> str:  # noqa: ANN401 - any JSON
    return str(answer["errors"][0]["code"])


async def over(clerk: Clerk, operation_id: str, code: str, act: str = "register", **body: Any) -> None:  # noqa: ANN401
    """It says so, asked again and again, and does nothing any more."""
    body = body or {"number": NUMBER}
    for _ in range(2):
        view = await clerk.state(operation_id)
        assert (view["state"], view["code"], view["name"]) == ("over", code, None)
        status, answer = await clerk.act(operation_id, act, **body)
        assert (status, code_of(answer)) == (409, code)


async def test_a_citizens_way_through_the_counters(here: Town) -> None:
    card = here.card()
    office, library = here.office, here.library
    office.insert(card)
    await office.clerk.create("ABCD2345", name="氏名 太郎")
    library.insert(card)
    operation_id = await library.clerk.read("register-service-id")
    view = await library.clerk.state(operation_id)
    assert (view["name"], view["has_mykey_id"]) == ("氏名 太郎", True)
    answer = await library.clerk.done(operation_id, "register", number=NUMBER)
    assert (answer["issuer_name"], answer["number"], answer["state"]) == ("中央図書館", NUMBER, "not_checked")
    assert (await library.clerk.state(operation_id))["state"] == "done"
    operation_id = await library.clerk.read("look-up-service-id", how="tap")
    assert (await library.clerk.done(operation_id, "look-up"))["number"] == NUMBER
    assert library.program.numbers == [NUMBER]
    office.insert(card)
    operation_id = await office.clerk.read("change-mykey-id")
    offered = await office.clerk.done(operation_id, "offer", attempt=1)
    await office.clerk.done(operation_id, "change", mykey_id=offered["mykey_id"])
    operation_id = await office.clerk.read("revoke-mykey-id")
    assert await office.clerk.done(operation_id, "loss") == {"points": 0, "pools": []}
    await office.clerk.done(operation_id, "revoke")
    library.insert(card)
    operation_id = await library.clerk.begin("look-up-service-id")
    view = await library.clerk.ended(operation_id, "waiting")
    assert (view["state"], view["code"]) == ("failed", "card_without_mykey_id")
    assert office.citizen.asked == [3, 3, 3]


async def test_a_form_that_is_refused_is_mended_with_the_card_still_in(here: Town) -> None:
    office, library, card = here.office, here.library, here.card()
    office.insert(card)
    operation_id = await office.clerk.read("create-mykey-id")
    await office.clerk.done(operation_id, "check", mykey_id="ABCD2345")
    status, answer = await office.clerk.act(operation_id, "create", **creation("ABCD2345", password="short"))
    assert (status, code_of(answer)) == (409, "password_short")
    await office.clerk.done(operation_id, "create", **creation("ABCD2345"))
    library.insert(card)
    operation_id = await library.clerk.read("register-service-id")
    await library.clerk.done(operation_id, "register", number=NUMBER)
    operation_id = await library.clerk.read("register-service-id", address_notice=True)
    for number, code in (("12", "bad_number"), (OTHER_NUMBER, "service_id_exists")):
        status, answer = await library.clerk.act(operation_id, "register", number=number)
        assert (status, code_of(answer)) == (409, code)
    assert (await library.clerk.done(operation_id, "present"))["number"] == NUMBER
    await library.clerk.done(operation_id, "register", number=OTHER_NUMBER, replaces=True)
    assert library.citizen.asked_password == [5]
    assert await _rows(here, "SELECT count(*) FROM registry.address_notice") == 1


async def test_the_librarys_card_is_read_on_a_second_reader_with_the_citizens_still_in(here: Town) -> None:
    office, library, card = here.office, here.library, here.card()
    office.insert(card)
    await office.clerk.create("ABCD2345")
    library.insert(card)
    operation_id = await library.clerk.read("register-service-id")
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(library.clerk.done(operation_id, "number"))
        await wait_until(lambda: library.numbers.is_wanted, DEADLINE_S)
        library.reader.put_beside(FelicaCard())
    assert reading.result() == {"number": "0101060123456789", "source": "felica"}
    library.reader.take_beside()

    async def is_told() -> bool:
        return bool(await _rows(here, "SELECT count(*) FROM terminal.card_event WHERE what = 'removed'"))

    await wait_until(is_told, DEADLINE_S)
    assert (await library.clerk.state(operation_id))["state"] == "proven"
    await library.clerk.done(operation_id, "register", number=NUMBER)
    assert (await library.clerk.state(operation_id))["state"] == "done"


async def _rows(here: Town, sql: str) -> Any:  # noqa: ANN401 - an SQL value
    connection = await asyncpg.connect(here.database_url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_each_operation_reads_the_card_anew(here: Town) -> None:
    office, library, card = here.office, here.library, here.card()
    office.insert(card)
    await office.clerk.create("ABCD2345")
    library.insert(card)
    first = await library.clerk.read("register-service-id")
    second = await library.clerk.read("register-service-id")
    assert library.citizen.asked == [3, 3]
    await over(library.clerk, first, "operation_over")
    library.citizen.pin = "0000"
    third = await library.clerk.begin("register-service-id")
    view = await library.clerk.ended(third, "waiting")
    assert (view["state"], view["code"], view["name"]) == ("failed", "pin_wrong", None)
    await over(library.clerk, second, "operation_over")


async def test_a_wrong_signature_password_sends_nobody_to_have_the_pin_reset(here: Town) -> None:
    office, library, card = here.office, here.library, here.card()
    office.insert(card)
    await office.clerk.create("ABCD2345")
    library.insert(card)
    library.citizen.password = "WRONG99"
    for code in (*["signature_password_wrong"] * 4, *["signature_password_blocked"] * 2):
        operation_id = await library.clerk.begin("register-service-id", address_notice=True)
        view = await library.clerk.ended(operation_id, "waiting")
        assert (view["state"], view["code"]) == ("failed", code)
        assert "署名用パスワード" in view["detail_ja"]
        assert "住所変更通知なしでも登録できます" in view["detail_ja"]
    operation_id = await library.clerk.read("register-service-id")
    await library.clerk.done(operation_id, "register", number=NUMBER)


async def test_a_reissued_cards_signature_serial_is_renewed_with_its_first_use_or_when_the_citizen_wants(
    database_url: str, tmp_path: Path, card_authority: CardAuthority, clock: AdjustableClock
) -> None:
    register = tmp_path / "register.json"
    register.write_text("{}")
    async with town(database_url, tmp_path, card_authority, clock, card_register=register) as here:
        office, library, branch = here.office, here.library, here.branch
        old = card_authority.issue()
        office.insert(JpkiCard(old))
        await office.clerk.create("ABCD2345")
        library.insert(JpkiCard(old))
        operation_id = await library.clerk.read("register-service-id", address_notice=True)
        await library.clerk.done(operation_id, "register", number=NUMBER)
        before = await _rows(here, SERIAL), await _rows(here, NOTICED)
        new = card_authority.reissue(old)
        tell(register, old, new)
        library.insert(JpkiCard(new))
        library.citizen.password = None
        operation_id = await library.clerk.read("look-up-service-id")
        assert (await library.clerk.state(operation_id))["signature_due"]
        await library.clerk.done(operation_id, "look-up")
        operation_id = await library.clerk.read("look-up-service-id", how="tap")
        await library.clerk.done(operation_id, "look-up")
        library.citizen.password = "WRONG99"
        operation_id = await library.clerk.read("register-service-id")
        await library.clerk.done(operation_id, "register", number=NUMBER)
        assert (await _rows(here, SERIAL), await _rows(here, NOTICED)) == before
        assert library.citizen.asked_password == [5, 5, 5]
        branch.insert(JpkiCard(new))
        operation_id = await branch.clerk.read("look-up-service-id")
        assert not (await branch.clerk.state(operation_id))["signature_due"]
        await branch.clerk.done(operation_id, "look-up")
        assert branch.citizen.asked == [3]
        after = await _rows(here, SERIAL), await _rows(here, NOTICED)
        assert all(one != other for one, other in zip(before, after, strict=True))
        operation_id = await branch.clerk.read("look-up-service-id")
        assert branch.citizen.asked_password == [5]


async def test_a_new_operation_ends_one_that_waits_for_a_pin(here: Town) -> None:
    office, card = here.office, here.card()
    office.insert(card)
    office.citizen.waits = True
    first = await office.clerk.begin("create-mykey-id")
    await wait_until(lambda: office.citizen.asked)
    office.citizen.waits = False
    second = await office.clerk.at(here.second).read("create-mykey-id")
    await over(office.clerk, first, "operation_over", "offer", attempt=1)
    assert (await office.clerk.state(second))["state"] == "proven"


@pytest.mark.parametrize("is_back", [False, True], ids=["another's", "the same again"])
async def test_another_card_at_the_act_is_refused(here: Town, is_back: bool) -> None:  # noqa: FBT001 - a parameter
    office, library = here.office, here.library
    mine, others = here.card(), here.card()
    for card, mykey_id in ((mine, "ABCD2345"), (others, "EFGH6789")):
        office.insert(card)
        await office.clerk.create(mykey_id)
    library.insert(mine)
    operation_id = await library.clerk.read("register-service-id")
    library.insert(mine if is_back else others)
    status, answer = await library.clerk.act(operation_id, "register", number=NUMBER)
    assert (status, code_of(answer)) == (409, "card_removed")
    await over(library.clerk, operation_id, "card_removed")
    assert await _rows(here, "SELECT count(*) FROM registry.service_id") == 0


async def test_an_agent_that_signs_with_another_card_under_the_same_insertion_is_refused(here: Town) -> None:
    office, library = here.office, here.library
    mine, others = here.card(), here.card()
    for card, mykey_id in ((mine, "ABCD2345"), (others, "EFGH6789")):
        office.insert(card)
        await office.clerk.create(mykey_id)
    library.insert(mine)
    operation_id = await library.clerk.read("register-service-id")
    mine.identity = others.identity
    status, answer = await library.clerk.act(operation_id, "register", number=NUMBER)
    assert (status, code_of(answer)) == (409, "other_citizen")
    await over(library.clerk, operation_id, "other_citizen")


async def test_a_card_that_is_pulled_ends_all_within_a_second(here: Town) -> None:
    office, library, card, operations = here.office, here.library, here.card(), list[str]()
    office.insert(card)
    await office.clerk.create("ABCD2345")

    async def ends() -> float:
        library.insert(card)
        operation_id = await library.clerk.read("register-service-id")
        assert await _rows(here, SESSIONS) == 1
        began_s = time.monotonic()
        library.reader.remove()
        for hub in (here.first, here.second):
            view = await library.clerk.at(hub).ended(operation_id, "proven")
            assert (view["state"], view["code"], view["name"]) == ("over", "card_removed", None)
        await wait_until(lambda: _is_none(here, SESSIONS))
        operations.append(operation_id)
        return time.monotonic() - began_s

    await quick_enough(ENDED_LIMIT_S, ends)
    library.insert(card)
    await over(library.clerk, operations[-1], "card_removed")


async def _is_none(here: Town, sql: str) -> bool:
    return bool(await _rows(here, sql) == 0)


async def test_an_agent_that_is_lost_counts_as_a_card_that_is_out(here: Town) -> None:
    office = here.office
    office.insert(here.card())
    operation_id = await office.clerk.read("create-mykey-id")
    command = SuspendTerminal(terminal_id=office.terminal.terminal_id, reason="試験")
    await here.first.bus.call(command, DEADLINE_S)

    async def is_out() -> bool:
        return (await office.clerk.ask("GET", f"/operations/{operation_id}"))[0] == 401

    await wait_until(is_out)
    assert await office.clerk.open(office.ticket()) == 401
    assert await _rows(here, "SELECT code FROM terminal.counter_operation") in {"terminal_suspended", "card_removed"}


async def test_nobody_there_for_a_minute_and_it_is_over(here: Town, clock: AdjustableClock) -> None:
    office, card = here.office, here.card()
    office.insert(card)
    operation_id = await office.clerk.read("create-mykey-id")
    clock.advance(timedelta(seconds=55))
    assert (await office.clerk.state(operation_id))["state"] == "proven"
    await office.clerk.done(operation_id, "offer", attempt=1)
    clock.advance(timedelta(seconds=55))
    assert (await office.clerk.state(operation_id))["state"] == "proven"
    clock.advance(timedelta(seconds=5))
    await over(office.clerk, operation_id, "operation_over", "offer", attempt=1)


async def test_it_lasts_five_minutes_at_the_most(here: Town, clock: AdjustableClock) -> None:
    office, library, card = here.office, here.library, here.card()
    office.insert(card)
    await office.clerk.create("ABCD2345")
    library.insert(card)
    operation_id = await library.clerk.read("register-service-id")
    for _ in range(5):
        status, answer = await library.clerk.act(operation_id, "present")
        assert (status, code_of(answer)) == (409, "no_service_id")
        clock.advance(timedelta(seconds=55))
    clock.advance(timedelta(seconds=25))
    await over(library.clerk, operation_id, "operation_over")


async def test_a_card_that_the_registry_fails_at_is_let_go_at_once(
    database_url: str,
    tmp_path: Path,
    card_authority: CardAuthority,
    clock: AdjustableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_arguments: object) -> None:
        raise PermanentError

    monkeypatch.setattr("workers.registry.cards.Cards.prove", fail)
    async with town(database_url, tmp_path, card_authority, clock) as here:
        office, card = here.office, here.card()
        office.insert(card)
        operation_id = await office.clerk.begin("create-mykey-id")
        view = await office.clerk.ended(operation_id, "waiting")
        assert (view["state"], view["code"]) == ("failed", "reader_failed")
        assert card.checks == 1
        await wait_until(lambda: not card.is_verified())


async def test_an_operation_belongs_to_its_browser(here: Town) -> None:
    office = here.office
    office.insert(here.card())
    operation_id = await office.clerk.read("create-mykey-id")
    assert (await here.library.clerk.ask("GET", f"/operations/{operation_id}"))[0] == 404
    assert (await here.library.clerk.ask("DELETE", f"/operations/{operation_id}"))[0] == 404
    assert (await here.library.clerk.act(operation_id, "offer", attempt=1))[0] == 404
    assert (await office.clerk.ask("GET", f"/operations/{uuid4()}"))[0] == 404
    assert (await office.clerk.ask("DELETE", f"/operations/{operation_id}"))[0] == 204
    await over(office.clerk, operation_id, "operation_over", "offer", attempt=1)


async def test_a_terminal_begins_only_what_it_is_for(here: Town) -> None:
    for place, purpose in ((here.office, "register-service-id"), (here.library, "create-mykey-id")):
        status, answer = await place.clerk.ask("POST", "/operations", purpose=purpose)
        assert (status, code_of(answer)) == (409, "not_at_this_terminal")
    office = here.office
    office.insert(here.card())
    operation_id = await office.clerk.read("create-mykey-id")
    assert (await office.clerk.act(operation_id, "revoke"))[0] == 409


async def test_a_tap_is_good_for_a_look_up_only(here: Town) -> None:
    office = here.office
    office.insert(here.card())
    operation_id = await office.clerk.begin("create-mykey-id", how="tap")
    assert (await office.clerk.ended(operation_id, "waiting"))["code"] == "card_needs_pin"


async def test_a_ticket_is_the_agents_fresh_and_used_once(here: Town) -> None:
    office, now_s = here.office, int(time.time())
    clerk = Clerk(office.clerk.client, here.second.url)
    used = office.ticket()
    assert await clerk.open(used) == 201
    wrong = {
        "used": used,
        "another key": office.ticket(key=Ed25519PrivateKey.generate()),
        "another hub": office.ticket(origin="https://other.example"),
        "old": office.ticket(at_s=now_s - 62),
        "of tomorrow": office.ticket(at_s=now_s + 65),
        "another terminal": office.ticket().replace(office.terminal.terminal_id, here.library.terminal.terminal_id),
        "unknown terminal": office.ticket().replace(office.terminal.terminal_id, "T232343AAAAAA"),
    }
    told = set()
    for ticket in wrong.values():
        status, answer = await clerk.ask("POST", "/sessions", ticket=ticket)
        told.add((status, answer["detail"]))
    assert len(told) == 1
    assert told.pop()[0] == 401
    again = office.ticket()
    both = await asyncio.gather(*(Clerk(clerk.client, hub.url).open(again) for hub in (here.first, here.second)))
    assert sorted(both) == [201, 401]


async def test_a_token_ends_with_its_session_and_when_it_is_idle(here: Town, clock: AdjustableClock) -> None:
    office, library = here.office, here.library
    office.insert(here.card())
    operation_id = await office.clerk.read("create-mykey-id")
    assert (await office.clerk.ask("DELETE", "/session"))[0] == 204
    for hub in (here.first, here.second):
        assert (await office.clerk.at(hub).ask("GET", f"/operations/{operation_id}"))[0] == 401
    assert (await office.clerk.at(here.first).ask("POST", "/operations", purpose="create-mykey-id"))[0] == 401
    clock.advance(timedelta(hours=7, minutes=59))
    assert (await library.clerk.ask("GET", f"/operations/{uuid4()}"))[0] == 404
    clock.advance(timedelta(hours=7, minutes=59))
    assert (await library.clerk.ask("GET", f"/operations/{uuid4()}"))[0] == 404
    clock.advance(timedelta(hours=8))
    assert (await library.clerk.ask("GET", f"/operations/{uuid4()}"))[0] == 401


async def test_two_citizens_within_three_minutes_are_reported(here: Town, clock: AdjustableClock) -> None:
    office, library = here.office, here.library
    operations = []
    for mykey_id, number in (("ABCD2345", NUMBER), ("EFGH6789", OTHER_NUMBER)):
        card = here.card()
        office.insert(card)
        await office.clerk.create(mykey_id)
        library.insert(card)
        operations.append(await library.clerk.read("register-service-id"))
        await library.clerk.done(operations[-1], "register", number=number)
        clock.advance(timedelta(seconds=100))
    today = clock.business_date()
    asked = LinkedCloseTogether(first=today - timedelta(days=1), last=today, lg_code=CITY)
    (pair,) = (await here.first.bus.call(asked, DEADLINE_S)).pairs
    assert pair.terminal_id == library.terminal.terminal_id
    assert [str(pair.first.operation_id), str(pair.second.operation_id)] == operations


async def test_nothing_of_a_citizen_is_in_the_log_or_stays_behind(here: Town) -> None:
    office, library, card = here.office, here.library, here.card()
    with capture_logs() as logged:
        office.insert(card)
        await office.clerk.create("ABCD2345")
        library.insert(card)
        operation_id = await library.clerk.read("register-service-id")
        await library.clerk.done(operation_id, "register", number=NUMBER)
    said = repr(logged)
    for secret in ("ABCD2345", NUMBER, "氏名", "mail.example", PASSWORD_PIECE, office.clerk.token, "mkc_"):
        assert secret not in said
    assert await _rows(here, "SELECT count(*) FROM terminal.counter_operation WHERE kept_sealed IS NOT NULL") == 0


PASSWORD_PIECE = "quince"
