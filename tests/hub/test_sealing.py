"""What carries personal data is sealed in the message store; the rest can be read there."""

from typing import Final
from uuid import uuid4

import pytest

from hub.ids import uuid7
from hub.keys import Keys, SealBrokenError, Sealer
from hub.sealing import PURPOSE, body_of
from hub.versions import UnreadableMessageError, read_stored
from schemas.catalog import CATALOG
from schemas.citizens import CheckMyKeyId
from tests.hub.parts import Probe, at_work, credited, fake

KEY: Final = b"only for tests: 0123456789abcdef"


@pytest.fixture
def sealer() -> Sealer:
    return Keys(KEY).sealer(PURPOSE)


def personal() -> CheckMyKeyId:
    return CheckMyKeyId(enrolment_id=uuid4(), mykey_id="KLMN0123")


def test_what_is_personal_is_sealed_and_comes_back(sealer: Sealer) -> None:
    message, message_id = personal(), uuid7()
    body = body_of(message, message_id, sealer)

    assert b"KLMN0123" not in body
    assert read_stored(message.TYPE, body, message_id, sealer) == message


def test_a_body_cannot_be_moved_to_another_message(sealer: Sealer) -> None:
    body = body_of(personal(), uuid7(), sealer)

    with pytest.raises(UnreadableMessageError) as refused:
        read_stored(CheckMyKeyId.TYPE, body, uuid7(), sealer)
    assert isinstance(refused.value.__cause__, SealBrokenError)


def test_what_is_not_personal_is_plain_json(sealer: Sealer) -> None:
    message = credited(5)
    body = body_of(message, uuid7(), sealer)

    assert body == message.model_dump_json().encode()


def test_whatever_names_a_person_is_marked_personal() -> None:
    fields = {"name", "mail", "mykey_id", "phone", "address", "birth_date"}
    marked = {"CitizenRegistered", "RegisterCitizen", "CheckMyKeyId"}
    named = {
        one.__name__: one.PERSONAL
        for one in CATALOG.values()
        if fields & set(one.model_fields) and one.__module__ == "schemas.citizens"
    }

    assert marked <= set(named)
    assert all(named.values()), named


async def test_nothing_personal_is_in_the_database(probe: Probe) -> None:
    async with at_work(probe.url, fake("mail")) as process:
        await process.bus.send([personal()])

    body = await probe.connection.fetchval("SELECT body FROM hub.message")
    assert body
    assert b"KLMN0123" not in body
