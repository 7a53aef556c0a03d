"""Ids in messages: UUIDs like any other, of the class that costs least."""

import subprocess
import sys
from uuid import UUID, uuid4

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.ids import CheapUUID, Id
from schemas.points import UsePoints

ADAPTER = TypeAdapter(Id)
WITHOUT_DRIVER = """
import sys
sys.modules["asyncpg"] = None
from schemas.points import UsePoints
from uuid import UUID
print(type(UsePoints.model_validate_json(sys.stdin.read()).citizen_id) is UUID)
"""


def _use() -> UsePoints:
    return UsePoints(
        party_id=uuid4(), command_id="c-1", request_hash=bytes(16), citizen_id=uuid4(), pool="reserve", points=5,
        store_id=uuid4(), lg_code="131016",
    )  # fmt: skip


def test_an_id_is_read_as_the_cheap_one_and_is_the_same() -> None:
    id_ = uuid4()
    read = ADAPTER.validate_json(f'"{id_}"')
    assert type(read) is CheapUUID is not UUID
    assert isinstance(read, UUID)
    assert (read, hash(read), read.int, str(read)) == (id_, hash(id_), id_.int, str(id_))


def test_an_id_in_capital_letters_is_the_same_id() -> None:
    id_ = uuid4()
    assert ADAPTER.validate_json(f'"{str(id_).upper()}"') == id_


@pytest.mark.parametrize(
    "text",
    [
        "null", "5", "[]", "{}", "true", '""', '"x"', '"12345678123456781234567812345678"',
        '"12345678-1234-5678-1234-56781234567g"', '"1234567-81234-5678-1234-567812345678"',
        '"{12345678-1234-5678-1234-567812345678}"', '"12345678-1234-5678-1234-567812345678\\n"',
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused_as_any_other_value(text: str) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_json(text)


def test_what_a_program_gives_stays_as_it_is() -> None:
    for id_ in (uuid4(), CheapUUID(str(uuid4()))):
        assert ADAPTER.validate_python(id_) is id_
        assert ADAPTER.dump_python(id_) is id_
        assert ADAPTER.dump_json(id_) == f'"{id_}"'.encode()


def test_for_others_it_is_a_uuid() -> None:
    assert ADAPTER.json_schema() == {"type": "string", "format": "uuid"}


def test_a_message_comes_back_as_it_was() -> None:
    use = _use()
    assert UsePoints.model_validate_json(use.model_dump_json()) == use


def test_without_the_database_driver_messages_are_read_too() -> None:
    command = [sys.executable, "-c", WITHOUT_DRIVER]
    told = subprocess.run(command, input=_use().model_dump_json(), capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"
