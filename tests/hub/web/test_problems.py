"""The catalogues are whole; errors become problems; field errors point and do not repeat values."""

import pytest
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.errors import (
    DeadlineExceededError,
    HubError,
    OwnershipLostError,
    PermanentError,
    TransientError,
    UnroutableError,
)
from hub.web.json_text import RawNumber
from hub.web.problems import ProblemError, Reference, problem_error, problem_of, retry_after
from hub.web.validation import ERRORS_LIMIT, field_errors, pointer_to
from schemas.problems import PROBLEMS, REFUSALS, ProblemCode, Refusal, RefusalCode


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    points: int = Field(strict=True, ge=1, le=999)
    name: str = Field(max_length=3, pattern="^[a-z]+$")


class Items(BaseModel):
    items: list[Item] = Field(min_length=1)


def test_each_code_has_its_text_in_both_languages() -> None:
    assert set(PROBLEMS) == set(ProblemCode)
    assert set(REFUSALS) == set(RefusalCode)
    for text in (*PROBLEMS.values(), *REFUSALS.values()):
        assert all(part for part in text)
        sentence = text[-1]
        assert isinstance(sentence, str)
        assert any("ぁ" <= letter <= "ん" for letter in sentence)


def test_a_refusal_is_told_by_its_code() -> None:
    assert Refusal.of("no_scheme").detail == REFUSALS[RefusalCode.no_scheme].detail
    with pytest.raises(ValueError, match="nonsense"):
        Refusal.of("nonsense")


@pytest.mark.parametrize(
    "error,code,wait",
    [
        (ProblemError(ProblemCode.in_flight), ProblemCode.in_flight, None),
        (TransientError(retry_after_s=4.2), ProblemCode.unavailable, "5"),
        (OwnershipLostError(), ProblemCode.unavailable, "1"),
        (DeadlineExceededError(), ProblemCode.outcome_unknown, "1"),
        (TimeoutError(), ProblemCode.outcome_unknown, "1"),
        (UnroutableError(), ProblemCode.internal, None),
        (web.HTTPNotFound(), ProblemCode.not_found, None),
        (web.HTTPRequestEntityTooLarge(1, 2), ProblemCode.too_large, None),
        (web.RequestPayloadError(), ProblemCode.bad_request, None),
        (ValueError("/a/path SELECT"), ProblemCode.internal, None),
    ],
)
def test_what_was_raised_becomes_a_problem(error: Exception, code: ProblemCode, wait: str | None) -> None:
    found = problem_error(error)
    assert found.code is code
    assert found.headers.get("Retry-After") == wait
    document = problem_of(found, Reference.new())
    assert "SELECT" not in document.model_dump_json()
    assert document.status == PROBLEMS[code].status


def test_method_not_allowed_says_which_are() -> None:
    assert problem_error(web.HTTPMethodNotAllowed("PUT", ["GET"])).headers == {"Allow": "GET"}


def test_errors_know_whether_another_try_can_help() -> None:
    assert [kind.permanent for kind in (HubError, PermanentError, TransientError, OwnershipLostError)] == [
        True,
        True,
        False,
        False,
    ]
    assert str(DeadlineExceededError()) == DeadlineExceededError.explanation()
    assert "asking again with the same id is safe" in str(DeadlineExceededError())
    assert str(UnroutableError("x.y")) == "x.y"


def test_fields_are_named_by_pointers_and_values_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        Items.model_validate(
            {"items": [{"points": True, "name": "SECRET"}, {"points": RawNumber("1.5"), "a/b~": 1}, {"points": 0}]}
        )
    found = {(error.pointer, error.code): error for error in field_errors(caught.value)}
    assert set(found) == {
        ("/items/0/points", "type"),
        ("/items/0/name", "length"),
        ("/items/1/points", "type"),
        ("/items/1/name", "missing"),
        ("/items/1/a~1b~0", "unknown_field"),
        ("/items/2/points", "range"),
        ("/items/2/name", "missing"),
    }
    assert not any("SECRET" in error.detail + error.detail_ja for error in found.values())
    assert found["/items/0/name", "length"].detail == "At most 3 characters are allowed."
    assert found["/items/2/points", "range"].detail_ja == "1以上の値を指定してください。"


def test_many_faults_are_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        Items.model_validate({"items": [{}] * 100})
    assert len(field_errors(caught.value)) == ERRORS_LIMIT


def test_pointers_are_escaped() -> None:
    assert pointer_to("a/b", 0, "~") == "/a~1b/0/~0"
    assert pointer_to() == ""


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    assert [retry_after(seconds) for seconds in (0, 0.2, 1, 1.1)] == ["1", "1", "1", "2"]
