"""Logging in, sessions, being asked again: on a real database, by two processes where it matters."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher
from pydantic import ValidationError

from hub.clock import AdjustableClock
from hub.keys import Keys, place
from hub.process import HubProcess
from schemas.logins import (
    ChangeMailAddress,
    ChangePassword,
    Confirm,
    EndSessions,
    LogInByCard,
    Session,
    SessionKind,
    SessionOf,
    UseSession,
)
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask, rows_of, said
from tests.workers.registry.ca import TERMINAL, Authority
from tests.workers.registry.offices import registry_with
from tests.workers.registry.people import HOME, PASSWORD, created, log_in, proof_of, session_of
from workers.registry import tries
from workers.registry.sessions import CONFIRMED_FOR, IDLE, WHOLE, ForgettingLogins

NEW_PASSWORD = "a quite other quince"
WRONG = "wrong wrong quince"


@pytest.fixture
async def citizen_id(office: HubProcess, issuers: list[Authority]) -> UUID:
    return await created(office, issuers[0].card(1), "MYCHOICE")


@pytest.fixture
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes its time: fewer of them tell the same."""
    for name, limit in (("ACCOUNT_LIMIT", 4), ("DEVICE_LIMIT", 3), ("SOURCE_LIMIT", 6), ("GLOBAL_LIMIT", 20)):
        monkeypatch.setattr(tries, name, limit)


@pytest.fixture
async def second(
    database_url: str, tmp_path: Path, clock: AdjustableClock, issuers: list[Authority]
) -> AsyncIterator[HubProcess]:
    """Another process with the registry."""
    assert issuers
    async with registry_with(database_url, tmp_path, clock) as process:
        yield process


async def alive(process: HubProcess, session: str | None) -> Session | None:
    assert session is not None
    return (await ask(process, UseSession(session=session))).session


async def test_a_session_begins_with_the_right_password(
    office: HubProcess, citizen_id: UUID, clock: AdjustableClock
) -> None:
    answer = await log_in(office, "MYCHOICE")
    assert (answer.code, answer.citizen_id, answer.device) == (None, citizen_id, None)
    assert answer.session is not None
    assert len(base64.urlsafe_b64decode(answer.session + "==")) == 16
    session = await alive(office, answer.session)
    assert session is not None
    assert (session.kind, session.subject_id, session.how) == (SessionKind.citizen, citizen_id, "password")
    assert session.confirmed_at is None
    assert session.ends_at - clock.now() <= WHOLE[SessionKind.citizen]
    assert (await log_in(office, "MYCHOICE")).session != answer.session


@pytest.mark.usefixtures("citizen_id")
async def test_unknown_and_wrong_are_told_the_same(office: HubProcess) -> None:
    wrong, unknown = await log_in(office, "MYCHOICE", WRONG), await log_in(office, "NOBODYS1", WRONG)
    assert wrong == unknown
    assert wrong.code == "log_in_failed"
    assert (await log_in(office, "MYCHOICE", PASSWORD + " ")).code == "log_in_failed"


async def test_a_password_kept_by_old_parameters_is_kept_anew(
    office: HubProcess, citizen_id: UUID, database_url: str
) -> None:
    sealer = Keys(SECRET_KEY.encode()).sealer("registry.citizen")
    at = place("registry.citizen", "password", citizen_id)
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    write = "UPDATE registry.citizen SET password_sealed = $1 RETURNING 1"
    await rows_of(database_url, write, sealer.seal(weak.encode(), at))
    assert (await log_in(office, "MYCHOICE")).code is None
    (row,) = await rows_of(database_url, "SELECT password_sealed FROM registry.citizen")
    assert b"m=19456,t=2" in sealer.open(row["password_sealed"], at)
    assert (await log_in(office, "MYCHOICE")).code is None


# ------------------------------------------------------------------------------------------------- limits


@pytest.mark.usefixtures("_small_limits")
async def test_an_account_is_slowed_in_two_processes_and_its_owners_browser_is_not(
    office: HubProcess, second: HubProcess, citizen_id: UUID, clock: AdjustableClock
) -> None:
    device = (await log_in(office, "MYCHOICE", remember=True)).device
    assert device is not None
    tried = [log_in(one, "MYCHOICE", WRONG, source=f"198.51.100.{n}") for n in range(4) for one in (office, second)]
    codes = [answer.code for answer in await asyncio.gather(*tried)]
    assert codes.count("log_in_failed") == tries.ACCOUNT_LIMIT
    assert codes.count("too_many_tries") == len(tried) - tries.ACCOUNT_LIMIT
    assert (await log_in(second, "MYCHOICE")).code == "too_many_tries"
    owner = await log_in(second, "MYCHOICE", device=device)
    assert (owner.code, owner.citizen_id, owner.device) == (None, citizen_id, None)
    clock.advance(tries.WINDOW + timedelta(seconds=1))
    assert (await log_in(office, "MYCHOICE")).code is None


@pytest.mark.usefixtures("citizen_id", "_small_limits")
async def test_a_known_browser_is_counted_by_itself(office: HubProcess) -> None:
    device = (await log_in(office, "MYCHOICE", remember=True)).device
    codes = [(await log_in(office, "MYCHOICE", WRONG, device=device)).code for _ in range(tries.DEVICE_LIMIT + 1)]
    assert codes == ["log_in_failed"] * tries.DEVICE_LIMIT + ["too_many_tries"]
    assert (await log_in(office, "MYCHOICE", device=device)).code == "too_many_tries"
    assert (await log_in(office, "MYCHOICE")).code is None


@pytest.mark.usefixtures("citizen_id", "_small_limits")
async def test_anothers_browser_is_known_to_nobody_else(office: HubProcess, issuers: list[Authority]) -> None:
    await created(office, issuers[0].card(2), "OTHERONE")
    device = (await log_in(office, "OTHERONE", remember=True)).device
    for _ in range(tries.ACCOUNT_LIMIT):
        await log_in(office, "MYCHOICE", WRONG, device=device)
    assert (await log_in(office, "MYCHOICE", device=device)).code == "too_many_tries"


@pytest.mark.usefixtures("citizen_id", "_small_limits")
async def test_one_password_on_many_accounts_is_slowed_by_source(office: HubProcess) -> None:
    tried = [log_in(office, f"GUESS{n:03d}", WRONG) for n in range(tries.SOURCE_LIMIT + 5)]
    codes = [answer.code for answer in await asyncio.gather(*tried)]
    assert codes.count("too_many_tries") == 5
    assert (await log_in(office, "MYCHOICE")).code == "too_many_tries"
    assert (await log_in(office, "MYCHOICE", source="192.0.2.1")).code is None


async def test_many_accounts_from_many_sources_are_slowed_all_together(
    office: HubProcess, second: HubProcess, issuers: list[Authority], monkeypatch: pytest.MonkeyPatch
) -> None:
    citizen_id = await created(office, issuers[0].card(1), "MYCHOICE")
    device = (await log_in(office, "MYCHOICE", remember=True)).device
    monkeypatch.setattr(tries, "GLOBAL_LIMIT", 6)
    tried = [
        log_in(one, f"GUESS{n:02d}{number}", WRONG, source=f"198.51.100.{n}")
        for n in range(5)
        for number, one in enumerate((office, second))
    ]
    codes = [answer.code for answer in await asyncio.gather(*tried)]
    assert codes.count("log_in_failed") == 6
    assert (await log_in(second, "MYCHOICE", source="192.0.2.1")).code == "too_many_tries"
    assert (await log_in(second, "MYCHOICE", device=device)).citizen_id == citizen_id
    proof_id = await proof_of(office, issuers[0].card(1), "log-in")
    assert (await ask(office, LogInByCard(login_id=uuid4(), proof_id=proof_id))).citizen_id == citizen_id


@pytest.mark.usefixtures("citizen_id", "_small_limits")
async def test_strangers_do_not_keep_out_whoever_has_logged_in_and_is_asked_again(office: HubProcess) -> None:
    session = await session_of(office, "MYCHOICE")
    for n in range(tries.ACCOUNT_LIMIT):
        await log_in(office, "MYCHOICE", WRONG, source=f"198.51.100.{n}")
    assert (await log_in(office, "MYCHOICE")).code == "too_many_tries"

    wrong = Confirm(session=session, source=HOME, password=WRONG)
    assert [(await ask(office, wrong)).code for _ in range(tries.DEVICE_LIMIT - 1)] == ["log_in_failed"] * 2
    confirmed = await ask(office, Confirm(session=session, source=HOME, password=PASSWORD))
    assert confirmed.session is not None
    wrong = Confirm(session=confirmed.session, source=HOME, password=WRONG)
    assert [(await ask(office, wrong)).code for _ in range(2)] == ["log_in_failed", "too_many_tries"]


@pytest.mark.usefixtures("citizen_id")
async def test_right_ones_are_not_counted(office: HubProcess, database_url: str) -> None:
    for _ in range(3):
        await log_in(office, "MYCHOICE")
    rows = await rows_of(database_url, "SELECT failures FROM registry.failed_try")
    assert [row["failures"] for row in rows] == [0, 0, 0]


# ----------------------------------------------------------------------------------------------- sessions


@pytest.mark.usefixtures("citizen_id")
async def test_sessions_end_by_idleness_and_by_time(
    office: HubProcess, second: HubProcess, clock: AdjustableClock
) -> None:
    session, idle = await session_of(office, "MYCHOICE"), await session_of(office, "MYCHOICE")
    step = IDLE[SessionKind.citizen] - timedelta(seconds=5)
    for _ in range(WHOLE[SessionKind.citizen] // step):
        clock.advance(step)
        assert await alive(second, session) is not None
    assert await alive(office, idle) is None
    clock.advance(step)
    assert await alive(office, session) is None
    await ForgettingLogins(office.database_of("registry"))()


@pytest.mark.usefixtures("citizen_id")
async def test_looking_is_not_using(office: HubProcess, clock: AdjustableClock) -> None:
    session = await session_of(office, "MYCHOICE")
    for seen in (True, True, False):
        found = await ask(office, SessionOf(session=session))
        assert (found.session is not None) == seen
        clock.advance(IDLE[SessionKind.citizen] / 2 + timedelta(seconds=1))


async def at_the_counter(process: HubProcess, issuers: list[Authority], insertion: UUID) -> str | None:
    proof_id = await proof_of(process, issuers[0].card(1), "use-points", insertion=insertion)
    begin = LogInByCard(login_id=uuid4(), proof_id=proof_id, kind=SessionKind.counter, purpose="use-points")
    return (await ask(process, begin)).session


async def test_a_counters_session_ends_with_its_card_everywhere(
    office: HubProcess, second: HubProcess, issuers: list[Authority], citizen_id: UUID, clock: AdjustableClock
) -> None:
    insertion, other = uuid4(), uuid4()
    session, others = await at_the_counter(office, issuers, insertion), await at_the_counter(office, issuers, other)
    found = await alive(second, session)
    assert found is not None
    assert (found.kind, found.subject_id, found.how) == (SessionKind.counter, citizen_id, "pin")
    assert (found.terminal_id, found.insertion) == (TERMINAL, insertion)
    assert (await ask(second, EndSessions(terminal_id=TERMINAL, insertion=insertion))).count == 1
    assert await alive(office, session) is None
    assert await alive(office, others) is not None
    clock.advance(IDLE[SessionKind.counter] + timedelta(seconds=1))
    assert await alive(office, others) is None


@pytest.mark.usefixtures("citizen_id")
async def test_no_session_outlives_a_card_that_is_taken_out_meanwhile(
    office: HubProcess, second: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    for _ in range(6):
        insertion = uuid4()
        proof_id = await proof_of(office, issuers[0].card(1), "log-in", insertion=insertion)
        await asyncio.gather(
            ask(office, LogInByCard(login_id=uuid4(), proof_id=proof_id)),
            ask(second, EndSessions(terminal_id=TERMINAL, insertion=insertion)),
        )
    assert await rows_of(database_url, "SELECT FROM registry.session") == []


async def test_sessions_end_by_order(office: HubProcess, second: HubProcess, citizen_id: UUID) -> None:
    one, two, three = [await session_of(office, "MYCHOICE") for _ in range(3)]
    assert (await ask(second, EndSessions(session=one))).count == 1
    assert await alive(office, one) is None
    assert (await ask(second, EndSessions(subject_id=citizen_id))).count == 2
    assert [await alive(office, session) for session in (two, three)] == [None, None]
    at_terminal = (await log_in(office, "MYCHOICE", terminal_id=TERMINAL)).session
    assert (await ask(second, EndSessions(terminal_id=TERMINAL))).count == 1
    assert await alive(office, at_terminal) is None


@pytest.mark.parametrize("wrong", [{}, {"session": "A" * 22, "subject_id": UUID(int=1)}, {"insertion": UUID(int=1)}])
def test_an_end_is_of_one_thing(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EndSessions.model_validate(wrong)


async def test_a_card_without_a_mykey_id_logs_nobody_in(office: HubProcess, issuers: list[Authority]) -> None:
    proof_id = await proof_of(office, issuers[0].card(1), "log-in")
    answer = await ask(office, LogInByCard(login_id=uuid4(), proof_id=proof_id))
    assert answer.code == "card_without_mykey_id"


# -------------------------------------------------------------------------------------------- asked again


async def test_asked_again_the_session_gets_a_new_id(
    office: HubProcess, issuers: list[Authority], citizen_id: UUID
) -> None:
    session = await session_of(office, "MYCHOICE")
    assert (await ask(office, Confirm(session=session, source=HOME, password=WRONG))).code == "log_in_failed"
    assert (await ask(office, Confirm(session=session, source=HOME))).code == "card_not_proven"
    confirmed = await ask(office, Confirm(session=session, source=HOME, password=PASSWORD))
    assert (confirmed.code, confirmed.citizen_id) == (None, citizen_id)
    assert await alive(office, session) is None
    found = await alive(office, confirmed.session)
    assert found is not None
    assert found.confirmed_at is not None
    assert confirmed.session is not None
    proof_id = await proof_of(office, issuers[0].card(1), "confirm")
    by_card = Confirm(session=confirmed.session, source=HOME, proof_id=proof_id)
    again = await ask(office, by_card)
    assert again.code is None
    assert again.session is not None
    used = Confirm(session=again.session, source=HOME, proof_id=proof_id)
    assert (await ask(office, used)).code == "card_not_proven"
    assert await ask(office, by_card) == again


@pytest.mark.usefixtures("citizen_id")
async def test_a_confirmation_whose_answer_was_lost_is_asked_again(
    office: HubProcess, second: HubProcess, clock: AdjustableClock
) -> None:
    confirm = Confirm(session=await session_of(office, "MYCHOICE"), source=HOME, password=PASSWORD)
    confirmed = await ask(office, confirm)
    assert await ask(second, confirm) == confirmed
    assert await alive(office, confirmed.session) is not None
    assert (await ask(second, confirm.model_copy(update={"password": WRONG}))).code == "log_in_failed"
    clock.advance(CONFIRMED_FOR + timedelta(seconds=1))
    assert (await ask(second, confirm)).code == "no_session"


@pytest.mark.usefixtures("citizen_id")
async def test_confirmed_by_two_processes_at_once_the_session_has_one_new_id(
    office: HubProcess, second: HubProcess
) -> None:
    confirm = Confirm(session=await session_of(office, "MYCHOICE"), source=HOME, password=PASSWORD)
    first, other = await asyncio.gather(*(ask(one, confirm) for one in (office, second)))
    assert first == other
    assert await alive(office, first.session) is not None


@pytest.mark.usefixtures("citizen_id")
async def test_another_persons_card_confirms_nothing(office: HubProcess, issuers: list[Authority]) -> None:
    await created(office, issuers[0].card(2), "OTHERONE")
    session = await session_of(office, "MYCHOICE")
    proof_id = await proof_of(office, issuers[0].card(2), "confirm")
    assert (await ask(office, Confirm(session=session, source=HOME, proof_id=proof_id))).code == "other_citizen"


async def test_another_mail_address_only_when_just_confirmed(
    office: HubProcess, citizen_id: UUID, clock: AdjustableClock, database_url: str
) -> None:
    session = await session_of(office, "MYCHOICE")
    change = ChangeMailAddress(session=session, mail="new@mail.example")
    assert (await ask(office, change)).code == "confirm_again"
    confirmed = (await ask(office, Confirm(session=session, source=HOME, password=PASSWORD))).session
    assert (await ask(office, change)).code == "no_session"
    change = change.model_copy(update={"session": confirmed})
    assert (await ask(office, change)).id == citizen_id
    assert (await ask(office, change)).id == citizen_id
    assert (await said(database_url)).count("mykey-ids.mail-address-changed") == 2, "the same again is said, too"
    (numbered,) = await rows_of(database_url, "SELECT mail_revision FROM registry.citizen")
    assert numbered["mail_revision"] == 2
    clock.advance(timedelta(minutes=5, seconds=1))
    assert (await ask(office, change)).code == "confirm_again"


# ----------------------------------------------------------------------------------------------- passwords


def changing(**how: object) -> ChangePassword:
    return ChangePassword.model_validate({"change_id": uuid4(), "source": HOME, "new_password": NEW_PASSWORD, **how})


async def test_a_new_password_by_the_old_one_ends_every_session(
    office: HubProcess, second: HubProcess, citizen_id: UUID, database_url: str
) -> None:
    session, other = await session_of(office, "MYCHOICE"), await session_of(office, "MYCHOICE")
    wrong = changing(session=session, old_password=WRONG)
    assert (await ask(office, wrong)).code == "log_in_failed"
    common = changing(session=session, old_password=PASSWORD, new_password="mychoice-1234")
    assert (await ask(office, common)).code == "password_common"
    changed = await ask(office, changing(session=session, old_password=PASSWORD))
    assert (changed.code, changed.citizen_id) == (None, citizen_id)
    assert [await alive(second, one) for one in (session, other)] == [None, None]
    assert await alive(second, changed.session) is not None
    assert (await log_in(second, "MYCHOICE")).code == "log_in_failed"
    assert (await log_in(second, "MYCHOICE", NEW_PASSWORD)).code is None
    assert (await said(database_url)).count("mykey-ids.password-changed") == 1


@pytest.mark.usefixtures("citizen_id", "_small_limits")
async def test_new_passwords_that_are_refused_are_no_tries_at_the_old_one(office: HubProcess) -> None:
    session = await session_of(office, "MYCHOICE")
    for new, code in (("mychoice-1234", "password_common"), ("short", "password_short")):
        refused = changing(session=session, old_password=PASSWORD, new_password=new)
        assert [(await ask(office, refused)).code for _ in range(10)] == [code] * 10
    changed = await ask(office, changing(session=session, old_password=PASSWORD))
    assert changed.code is None
    guess = changing(session=changed.session, old_password=WRONG, new_password=PASSWORD)
    codes = [(await ask(office, guess)).code for _ in range(tries.DEVICE_LIMIT + 1)]
    assert codes == ["log_in_failed"] * tries.DEVICE_LIMIT + ["too_many_tries"]


async def test_a_new_password_by_card_needs_no_session(
    office: HubProcess, issuers: list[Authority], citizen_id: UUID
) -> None:
    assert (await ask(office, changing())).code == "card_not_proven"
    proof_id = await proof_of(office, issuers[0].card(1), "confirm")
    changed = await ask(office, changing(proof_id=proof_id))
    assert (changed.code, changed.citizen_id, changed.session) == (None, citizen_id, None)
    assert (await ask(office, changing(proof_id=proof_id))).code == "card_not_proven"
    assert (await log_in(office, "MYCHOICE", NEW_PASSWORD)).code is None


@pytest.mark.usefixtures("citizen_id")
async def test_of_two_changes_by_one_old_password_one_succeeds(office: HubProcess, second: HubProcess) -> None:
    sessions = [await session_of(office, "MYCHOICE") for _ in range(2)]
    asked = [
        ask(one, changing(session=session, old_password=PASSWORD, new_password=f"{NEW_PASSWORD} {number}"))
        for number, (one, session) in enumerate(zip((office, second), sessions, strict=True))
    ]
    codes = [answer.code for answer in await asyncio.gather(*asked)]
    assert codes.count(None) == 1


async def test_a_change_whose_answer_was_lost_is_asked_again(
    office: HubProcess, second: HubProcess, citizen_id: UUID, database_url: str
) -> None:
    change = changing(session=await session_of(office, "MYCHOICE"), old_password=PASSWORD)
    changed = await ask(office, change)
    assert await ask(second, change) == changed
    found = await alive(office, changed.session)
    assert found is not None
    assert found.subject_id == citizen_id
    another = change.model_copy(update={"change_id": uuid4()})
    assert (await ask(second, another)).code == "no_session"
    assert (await said(database_url)).count("mykey-ids.password-changed") == 1


async def test_a_change_by_card_whose_answer_was_lost_is_asked_again(
    office: HubProcess, second: HubProcess, issuers: list[Authority], citizen_id: UUID, database_url: str
) -> None:
    change = changing(proof_id=await proof_of(office, issuers[0].card(1), "confirm"))
    for process in (office, second):
        assert (await ask(process, change)).citizen_id == citizen_id
    assert (await said(database_url)).count("mykey-ids.password-changed") == 1


@pytest.mark.usefixtures("citizen_id")
async def test_a_change_that_is_done_by_two_processes_at_once_is_one(
    office: HubProcess, second: HubProcess, issuers: list[Authority], database_url: str
) -> None:
    by_password = changing(session=await session_of(office, "MYCHOICE"), old_password=PASSWORD)
    by_card = changing(proof_id=await proof_of(office, issuers[0].card(1), "confirm"), new_password=PASSWORD)
    for number, change in enumerate((by_password, by_card), start=1):
        first, other = await asyncio.gather(*(ask(one, change) for one in (office, second)))
        assert first == other
        assert first.code is None
        assert (await said(database_url)).count("mykey-ids.password-changed") == number
