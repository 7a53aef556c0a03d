"""Registration of citizens, their mail choices and base municipality, and what a thief of the tables would see."""

import base64
from uuid import UUID

import asyncpg
import pytest
from pydantic import ValidationError

from hub.process import HubProcess
from hub.roles import component_url
from hub.settings import Settings
from hub.transaction import Transaction
from schemas.citizens import (
    BaseMunicipalitiesOf,
    ChangeMailChoices,
    ChooseBaseMunicipality,
    CitizenBehind,
    EndMailChoice,
    MailChoice,
    MailChoices,
    MailChoicesChanged,
    ProfileOf,
)
from tests.running import SECRET_KEY
from tests.workers.registry.asking import ask, asked_meanwhile, bodies_of, dump_of, said
from tests.workers.registry.conftest import BASE, NO_SCHEME, OTHER_BASE, citizen
from workers.registry.citizens import end_mail_choices

REGISTRATION = ["citizens.registered", "citizens.base-municipality-chosen"]
ALL = MailChoices(on_grant=True, on_expiry=True, on_password_change=True, on_mykey_id_change=True)


async def said_of_citizens(database_url: str) -> list[str]:
    return [one for one in await said(database_url) if one.startswith("citizens.")]


async def test_the_same_registration_again_gets_the_same_answer(world: HubProcess, database_url: str) -> None:
    first = await ask(world, citizen(1))
    assert first.id == UUID(int=1)
    await ask(world, ChooseBaseMunicipality(citizen_id=UUID(int=1), base_lg_code=OTHER_BASE))
    assert await ask(world, citizen(1)) == first
    assert await said_of_citizens(database_url) == [*REGISTRATION, "citizens.base-municipality-chosen"]


@pytest.mark.parametrize(
    "change",
    [
        {"mykey_id": "OTHER111"},
        {"name": "別名"},
        {"mail": "other@mail.example"},
        {"base_lg_code": OTHER_BASE},
        {"choices": ALL},
    ],
)
async def test_another_content_under_the_same_id_is_refused(world: HubProcess, change: dict[str, object]) -> None:
    await ask(world, citizen(1))
    assert (await ask(world, citizen(1, **change))).code == "id_conflict"


async def test_in_one_run_each_gets_its_own_answer(world: HubProcess, database_url: str) -> None:
    lane = 16  # ids a multiple of it share a lane, so these are one run
    asked = [
        citizen(lane),
        citizen(lane),
        citizen(lane, name="別名"),
        citizen(2 * lane, mykey_id=f"{lane:08d}"),
        citizen(3 * lane, base_lg_code=NO_SCHEME),
        citizen(4 * lane),
    ]
    answers = await world.bus.call_many(asked, 10)
    codes = [answer.code for answer in answers]
    assert codes == [None, None, "id_conflict", "mykey_id_taken", "no_scheme", None]
    assert await said_of_citizens(database_url) == REGISTRATION * 2


async def test_one_mykey_id_wanted_by_many_at_once_goes_to_one(world: HubProcess, database_url: str) -> None:
    asked = [citizen(number, mykey_id="WANTEDID") for number in range(1, 65)]
    answers = await world.bus.call_many(asked, 10)
    assert sorted(str(answer.code) for answer in answers) == ["None"] + ["mykey_id_taken"] * 63
    assert await said_of_citizens(database_url) == REGISTRATION


@pytest.mark.parametrize(
    "mykey_id", ["", "ABC1234", "ABCD12345", "abcd1234", "ABCD123\n", "ＡＢＣＤ１２３４", "ABC-1234"]
)
def test_what_is_no_mykey_id_is_refused_at_the_message(mykey_id: str) -> None:
    with pytest.raises(ValidationError):
        citizen(1, mykey_id=mykey_id)


@pytest.mark.parametrize(
    "mail",
    [
        "",
        "a",
        "a@b",
        "a b@mail.example",
        "a@mail.example\nBcc: b@c.example",
        "a@mail.example ",
        "a@-b.example",
        "<a@b.cd>",
    ],
)
def test_what_is_no_mail_address_is_refused_at_the_message(mail: str) -> None:
    with pytest.raises(ValidationError):
        citizen(1, mail=mail)


async def test_profiles_open_and_are_found_by_mykey_id(world: HubProcess) -> None:
    await ask(world, citizen(1, name="髙﨑 𠮷①"))
    profile = (await ask(world, ProfileOf(citizen_id=UUID(int=1)))).profile
    assert profile is not None
    assert (profile.mykey_id, profile.name, profile.mail) == ("00000001", "髙﨑 𠮷①", "citizen-1@mail.example")
    assert (profile.base_lg_code, profile.choices) == (BASE, MailChoices(on_grant=True))
    assert (await ask(world, CitizenBehind(mykey_id="00000001"))).citizen_id == UUID(int=1)
    assert (await ask(world, CitizenBehind(mykey_id="00000002"))).citizen_id is None
    assert (await ask(world, ProfileOf(citizen_id=UUID(int=2)))).profile is None


async def test_mail_choices_change_once(world: HubProcess, database_url: str) -> None:
    await ask(world, citizen(1))
    change = ChangeMailChoices(citizen_id=UUID(int=1), choices=ALL)
    assert (await ask(world, change)).code is None
    assert (await ask(world, change)).code is None
    assert await said_of_citizens(database_url) == [*REGISTRATION, "citizens.mail-choices-changed"]
    profile = (await ask(world, ProfileOf(citizen_id=UUID(int=1)))).profile
    assert profile is not None
    assert profile.choices == ALL
    nobodys = ChangeMailChoices(citizen_id=UUID(int=2), choices=ALL)
    assert (await ask(world, nobodys)).code == "unknown_citizen"


@pytest.mark.parametrize("choice", list(MailChoice))
async def test_one_choice_ends_and_the_others_stay(choice: MailChoice, world: HubProcess, database_url: str) -> None:
    await ask(world, citizen(1, choices=ALL))
    end = EndMailChoice(citizen_id=UUID(int=1), choice=choice)
    for _ in range(2):
        assert (await ask(world, end)).code is None
    left = ALL.model_copy(update={choice.value: False})
    assert await choices_of(world) == left
    (event,) = await bodies_of(database_url, MailChoicesChanged.TYPE)
    assert (event["choices"], event["revision"]) == (left.model_dump(), 1)
    nobodys = EndMailChoice(citizen_id=UUID(int=2), choice=choice)
    assert (await ask(world, nobodys)).code == "unknown_citizen"


async def test_several_choices_that_end_in_one_run_end_all(world: HubProcess, database_url: str) -> None:
    await ask(world, citizen(1, choices=ALL))
    await ask(world, citizen(2, choices=ALL))
    ends = [EndMailChoice(citizen_id=UUID(int=n), choice=choice) for choice in MailChoice for n in (1, 2, 3)]
    async with world.database_of("registry").transaction() as tx:
        answers = await end_mail_choices(ends, tx)
    assert [answer.code for answer in answers] == [None, None, "unknown_citizen"] * len(MailChoice)
    assert await choices_of(world) == MailChoices()
    said = await bodies_of(database_url, MailChoicesChanged.TYPE)
    assert [(event["choices"], event["revision"]) for event in said] == [(MailChoices().model_dump(), 1)] * 2


async def test_choices_that_end_in_two_processes_at_once_end_both(world: HubProcess) -> None:
    await ask(world, citizen(1, choices=ALL))
    kinds = (MailChoice.on_grant, MailChoice.on_expiry)
    here, there = (EndMailChoice(citizen_id=UUID(int=1), choice=choice) for choice in kinds)

    async def work(tx: Transaction) -> None:
        await end_mail_choices([there], tx)

    assert (await asked_meanwhile(world, work, here)).code is None
    assert await choices_of(world) == MailChoices(on_password_change=True, on_mykey_id_change=True)


async def choices_of(world: HubProcess) -> MailChoices:
    profile = (await ask(world, ProfileOf(citizen_id=UUID(int=1)))).profile
    assert profile is not None
    return profile.choices


async def test_changes_of_a_citizen_are_numbered(world: HubProcess, database_url: str) -> None:
    """So that whoever hears of them out of their order knows which is the newest."""
    await ask(world, citizen(1))
    for choices in (ALL, MailChoices(on_expiry=True), ALL):
        await ask(world, ChangeMailChoices(citizen_id=UUID(int=1), choices=choices))
    assert [event["revision"] for event in await bodies_of(database_url, MailChoicesChanged.TYPE)] == [1, 2, 3]


async def test_the_base_municipality_has_a_scheme(world: HubProcess) -> None:
    await ask(world, citizen(1))
    one, nobody = UUID(int=1), UUID(int=2)
    for citizen_id, base, code in (
        (one, OTHER_BASE, None),
        (one, NO_SCHEME, "no_scheme"),
        (nobody, BASE, "unknown_citizen"),
    ):
        answer = await ask(world, ChooseBaseMunicipality(citizen_id=citizen_id, base_lg_code=base))
        assert answer.code == code
    bases = await ask(world, BaseMunicipalitiesOf(citizen_ids=[one, nobody]))
    assert bases.lg_codes == {str(one): OTHER_BASE}


async def test_the_tables_tell_nothing_about_a_person(world: HubProcess, database_url: str) -> None:
    planted = ["MARKID01", "植田目印", "marker-mail", "planted.example"]
    await ask(world, citizen(1, mykey_id=planted[0], name=planted[1], mail=f"{planted[2]}@{planted[3]}"))
    dump = await dump_of(database_url, "registry") + await dump_of(database_url, "hub")
    assert b"citizens.registered" in dump
    assert str(UUID(int=1)).encode() in dump
    for marker in planted:
        for form in (marker.encode(), marker.encode().hex().encode(), base64.b64encode(marker.encode())):
            assert form not in dump


async def test_the_registry_cannot_take_a_used_mykey_id_back(world: HubProcess, database_url: str) -> None:
    await ask(world, citizen(1))
    settings = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY})
    connection = await asyncpg.connect(component_url(database_url, "registry", settings))
    try:
        for statement in (
            "DELETE FROM registry.used_mykey_id",
            "UPDATE registry.used_mykey_id SET mykey_hash = mykey_hash",
            "TRUNCATE registry.used_mykey_id",
            "DELETE FROM registry.municipality",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
