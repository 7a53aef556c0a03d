"""What breaks a promise about a message is found, and what does not is let through."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from tools.contract_changes import RELEASED, breaches, main

NAME: Final = "jp.mykey.stamps.given.v1"


class Shop(BaseModel):
    """Something with fields of its own."""

    model_config = ConfigDict(extra="forbid")
    number: int
    branches: list["Shop"] = []


class Stamp(BaseModel):
    """As it was released."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    citizen: str = Field(min_length=1, max_length=20, pattern="^[a-z]+$")
    count: int = Field(ge=1, le=99)
    kind: Literal["paper", "card"]
    shop: Shop
    note: str | None = None
    by_day: dict[str, int] = {}
    days: list[int] = []


def schema_of(model: type[BaseModel], **facts: object) -> dict[str, Any]:
    """As docs/contracts has it."""
    return (
        model.model_json_schema(mode="serialization") | {"x-type": NAME, "x-kind": "event", "x-personal": False} | facts
    )


def changed(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as create_model has it
    """The same with these fields, each a type or a pair of type and default; None takes one away."""
    kept = {name: (one.annotation, one) for name, one in Stamp.model_fields.items()}
    wanted = {name: one for name, one in (kept | fields).items() if one is not None}
    return schema_of(create_model("Stamp", __config__=Stamp.model_config, **wanted))


class WiderShop(BaseModel):
    """A shop that may tell more."""

    model_config = ConfigDict(extra="forbid")
    number: int | str
    street: str = ""
    branches: list["WiderShop"] = []


class OtherShop(BaseModel):
    """A shop whose branches must tell more."""

    model_config = ConfigDict(extra="forbid")
    number: int
    street: str
    branches: list["OtherShop"] = []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"campaign": (str, "")},
        {"campaign": (str | None, None)},
        {"count": Annotated[int, Field(ge=0, le=1_000)]},
        {"count": int},
        {"count": float},
        {"citizen": Annotated[str, Field(max_length=30, pattern="^[a-z]+$")]},
        {"kind": Literal["paper", "card", "phone"]},
        {"kind": str},
        {"note": (str | int | None, None)},
        {"shop": WiderShop},
        {"shop": (Shop, Shop(number=1))},
        {"by_day": (dict[str, int | None], {})},
        {"days": (list[int | str], [])},
    ],
)
def test_what_can_still_be_read_is_let_through(fields: dict[str, Any]) -> None:
    assert breaches(schema_of(Stamp), changed(**fields)) == []


@pytest.mark.parametrize(
    "fields,words",
    [
        ({"campaign": str}, "/campaign: is required now"),
        ({"note": str}, "/note: is required now"),
        ({"note": None}, "/note: is gone"),
        ({"count": None}, "/count: is gone"),
        ({"note": (str, "")}, "/note: was of type null"),
        ({"count": str}, "/count: was of type integer, is of string"),
        ({"count": Annotated[int, Field(ge=1, le=50)]}, "/count: maximum was 99, is 50"),
        ({"count": Annotated[int, Field(ge=2, le=99)]}, "/count: minimum was 1, is 2"),
        ({"count": Annotated[int, Field(ge=1, le=99, multiple_of=2)]}, "/count: multipleOf was not said, is 2"),
        ({"citizen": Annotated[str, Field(min_length=1, max_length=20, pattern="^[a-f]+$")]}, "/citizen: pattern was"),
        ({"kind": Literal["paper"]}, "/kind: some values are allowed no longer"),
        ({"shop": OtherShop}, "/shop/street: is required now"),
        ({"by_day": (dict[str, str], {})}, "/by_day/*: was of type integer, is of string"),
        ({"days": (list[str], [])}, "/days/*: was of type integer, is of string"),
        ({"days": (Annotated[list[int], Field(max_length=5)], [])}, "/days: maxItems was not said, is 5"),
    ],
)
def test_what_would_be_read_no_longer_is_found(fields: dict[str, Any], words: str) -> None:
    assert any(words in breach for breach in breaches(schema_of(Stamp), changed(**fields)))


def test_a_body_that_would_be_sealed_or_another_kind_of_message_is_a_breach() -> None:
    assert breaches(schema_of(Stamp), schema_of(Stamp, **{"x-personal": True})) == ["x-personal was False"]
    assert breaches(schema_of(Stamp), schema_of(Stamp, **{"x-kind": "command"})) == ["x-kind was 'event'"]


def test_a_promise_is_taken_kept_and_only_by_hand_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "messages").mkdir()
    file = tmp_path / "messages" / f"{NAME}.json"

    file.write_text(json.dumps(schema_of(Stamp)))
    assert main([], tmp_path) == 1, "nothing is promised yet"
    assert main(["--take"], tmp_path) == main([], tmp_path) == 0

    file.write_text(json.dumps(changed(campaign=(str, ""))))
    assert main([], tmp_path) == 1, "the new field is not promised yet"
    assert main(["--take"], tmp_path) == main([], tmp_path) == 0

    file.write_text(json.dumps(changed(campaign=str)))
    capsys.readouterr()
    assert main([], tmp_path) == main(["--take"], tmp_path) == 1
    assert f"{NAME}: /campaign: is required now" in capsys.readouterr().out

    file.unlink()
    assert main(["--take"], tmp_path) == 1
    assert "is read no longer" in capsys.readouterr().out
    (tmp_path / RELEASED).write_text("")
    assert main([], tmp_path) == 0
