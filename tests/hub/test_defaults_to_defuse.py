"""What libraries do by default and must not do here (facts: reliability): each default has its fuse.

Those of the doors are in tests/hub/web, those of the card and files with their connectors.
"""

import hmac
import importlib.metadata
import inspect
import re
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from hub import keys
from schemas.catalog import CATALOG
from schemas.message import Said
from schemas.points import CreditPoints
from schemas.values import CommandId, ExpiryRule, LgCode, LinkId, MailAddress, MyKeyId, Name, Points, Pool
from tests.hub.parts import credit, credited
from tools.house_rules import PRODUCT

ROOT: Final = Path(__file__).parents[2]

RIGHT: Final = {
    "mykey_id": (MyKeyId, "0AZ9KLMN"),
    "lg_code": (LgCode, "011002"),
    "pool": (Pool, "scheme:011002"),
    "command_id": (CommandId, "2017-10-000123"),
    "link_id": (LinkId, "m.001:x_y"),
    "expiry_rule": (ExpiryRule, "months:12"),
    "mail": (MailAddress, "someone@example.jp"),
}


def _takes(kind: Any, value: object) -> bool:  # noqa: ANN401 - an annotated type
    try:
        TypeAdapter(kind).validate_python(value)
        TypeAdapter(kind).validate_json(TypeAdapter(Any).dump_json(value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", RIGHT)
def test_right_codes_are_taken(name: str) -> None:
    assert _takes(*RIGHT[name])


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("harm", ["{}\n", "\n{}", " {}", "{} ", "{}\0", "{}\u200b", "\ufeff{}", "{}{}"])
def test_nothing_is_taken_with_something_around_it(name: str, harm: str) -> None:
    kind, right = RIGHT[name]

    assert not _takes(kind, harm.format(right, right)) or (name in {"command_id", "link_id"} and harm == "{}{}")


@pytest.mark.parametrize("name", RIGHT)
def test_no_digit_but_ascii_is_a_digit(name: str) -> None:
    kind, right = RIGHT[name]
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in right)

    assert wide == right or not _takes(kind, wide)
    assert not _takes(kind, re.sub(r"[0-9]", "²", right) if any(c.isdigit() for c in right) else "²")


@pytest.mark.parametrize(
    "value", [True, "5", 5.0, 1.5, 0, -500, 10**9, 2**63 - 1, "１２３", "1_000", " 12\n", None, "1e3"]
)
def test_points_are_whole_numbers_and_nothing_else(value: object) -> None:
    assert not _takes(Points, value)


@pytest.mark.parametrize("value", [1, 999_999_999])
def test_points_from_one_to_the_limit_are_points(value: int) -> None:
    assert _takes(Points, value)


@pytest.mark.parametrize("value", ["", " ", "\u3000", "a\nb", "a\u202eb", "a\0b", "x" * 101, "\u200b"])
def test_a_name_is_one_visible_line(value: str) -> None:
    assert not _takes(Name, value)


@pytest.mark.parametrize("value", ["札幌ポイント", "髙﨑①㈱", "O'Neil 2nd"])
def test_real_names_are_names(value: str) -> None:
    assert _takes(Name, value)


def test_messages_take_no_unknown_field_and_cannot_be_changed() -> None:
    message = credit(5)
    with pytest.raises(ValidationError):
        type(message).model_validate({**message.model_dump(), "balance": 10**9})
    with pytest.raises(ValidationError):
        setattr(message, "points", 6)  # noqa: B010 - what mypy forbids, pydantic must, too


@pytest.mark.parametrize("model", list(CATALOG.values()), ids=lambda one: one.__name__)
def test_every_message_type_is_frozen_and_closed(model: type[BaseModel]) -> None:
    assert issubclass(model, Said)
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"


def test_bytes_and_the_last_day_survive_json() -> None:
    command = credit(5).model_copy(update={"request_hash": bytes(range(240, 256))})
    event = credited(1).model_copy(update={"expires_on": date.max})

    assert type(command).model_validate_json(command.model_dump_json()) == command
    assert type(event).model_validate_json(event.model_dump_json()) == event


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "5.0", "true", '"5"', "9" * 5000, "-5"])
def test_numbers_that_python_would_take_are_not_taken_as_points(number: str) -> None:
    right = credit(5).model_dump_json()
    assert CreditPoints.model_validate_json(right).points == 5

    with pytest.raises(ValidationError):
        CreditPoints.model_validate_json(right.replace('"points":5', f'"points":{number}'))


def test_secrets_are_compared_as_bytes() -> None:
    with pytest.raises(TypeError):
        hmac.compare_digest("鍵", "鍵")
    hashed = keys.Keys(b"only for tests: 0123456789abcdef").hasher("x").hash("鍵".encode())

    assert isinstance(hashed, bytes)
    assert "compare_digest(" not in inspect.getsource(keys)


def _sources() -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for folder in PRODUCT
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def test_there_is_something_to_look_through() -> None:
    assert len(_sources()) > 50
    assert {Path(name).parts[0] for name, _ in _sources()} >= {"street_software", "reader_agent", "hub"}


@pytest.mark.parametrize(
    "default,why",
    [
        (r"asyncio\.wait_for\(", "on Python 3.11 it may swallow a cancellation: use asyncio.timeout"),
        (r"\.isdigit\(\)", "'²'.isdigit() is true: use re.fullmatch('[0-9]+')"),
        (r"re\.match\(", "takes what only begins right: use fullmatch"),
        (r"await request\.json\(", "answers 500 to bad JSON: use hub.web.bodies"),
        (r"\bpickle\b", "runs what it reads"),
        (r"yaml\.load\(", "runs what it reads"),
        (r"shell=True", "lets a name become a command"),
        (r"verify=False|ssl=False|CERT_NONE", "talks to anybody"),
        (r"datetime\.utcnow\(|datetime\.now\(\)", "names no time zone: ask the Clock"),
        (r"web\.static\(|add_static\(", "CVE-2024-23334, CVE-2025-69226: no folder is served"),
        (r"shift_jis", "the codec of Windows files is cp932"),
    ],
)
def test_a_dangerous_default_is_nowhere_used(default: str, why: str) -> None:
    found = [name for name, text in _sources() if re.search(default, text)]

    assert found == [], why


def test_cp932_is_the_codec_that_comes_back() -> None:
    for character in "表能ソ～髙﨑":
        assert character.encode("cp932").decode("cp932") == character


def test_aiohttp_is_newer_than_its_known_holes() -> None:
    version = tuple(int(part) for part in importlib.metadata.version("aiohttp").split(".")[:3])

    assert version >= (3, 13, 4)


def test_ids_of_messages_are_uuids_in_one_form() -> None:
    one = uuid4()
    dumped = credited(1, one).model_dump(mode="json")

    assert dumped["citizen_id"] == str(one)
