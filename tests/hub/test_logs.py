"""Logs are one line of JSON each, tell no personal data, and never stop the work."""

import enum
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import structlog
from pydantic import SecretStr

from hub import logs
from hub.errors import PermanentError

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def one(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (only,) = lines(capsys)
    return only


def test_an_event_is_one_json_object_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger().info("delivery_parked", delivery_id=ID, attempts=5)
    line = one(capsys)
    assert (line["event"], line["level"]) == ("delivery_parked", "info")
    assert (line["delivery_id"], line["attempts"]) == (str(ID), 5)
    assert line["timestamp"].endswith("Z")


def test_what_is_less_important_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    log = structlog.get_logger()
    log.info("lane_taken")
    log.warning("lane_lost")
    assert one(capsys)["event"] == "lane_lost"


@pytest.mark.parametrize(
    "key",
    [
        "mail",
        "citizen_mail",
        "password",
        "New-Password",
        "mykey_id",
        "name",
        "birth_date",
        "phone",
        "token",
        "body",
    ],
)
def test_personal_data_and_secrets_are_refused(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger().info("citizen_registered", **{key: "taro-no-himitsu"}, inner=[{key: "taro-no-himitsu"}])
    line = one(capsys)
    assert line[key] == logs.REFUSED
    assert "himitsu" not in json.dumps(line)


@pytest.mark.parametrize("key", ["mail_id", "component_name", "job", "code", "certificate_id", "row"])
def test_harmless_keys_pass(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger().info("seen", **{key: "value"})
    assert one(capsys)[key] == "value"


def test_an_object_tells_only_its_type(capsys: pytest.CaptureFixture[str]) -> None:
    class Kind(enum.Enum):
        USE = "use"

    logs.configure("info")
    structlog.get_logger().info("seen", secretive=SecretStr("x"), raw=b"x", kind=Kind.USE, many=(1, ID))
    line = one(capsys)
    assert (line["secretive"], line["raw"]) == ("<SecretStr>", "<bytes>")
    assert (line["kind"], line["many"]) == ("use", [1, str(ID)])


def test_what_a_stranger_sends_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger().info("path_unknown", path='x\r\n{"event":"forged"}\x1b[2J\x9b\u2028表')
    raw = capsys.readouterr().err
    assert raw.count("\n") == 1
    assert raw.isascii()
    assert all(character.isprintable() for character in raw[:-1])


def test_long_texts_are_cut_and_deep_ones_ended(capsys: pytest.CaptureFixture[str]) -> None:
    deep: dict[str, Any] = {}
    deep["again"] = deep
    logs.configure("info")
    structlog.get_logger().info("seen", path="x" * 10_000, deep=deep, many=list(range(1000)))
    line = one(capsys)
    assert len(line["path"]) == 500
    assert len(line["many"]) == 50
    assert "<dict>" in json.dumps(line["deep"])


def _fail() -> None:
    raise RuntimeError("could not write") from ValueError("duplicate key\nDETAIL: Key (mail)=(taro@example.jp) exists")


def test_an_exception_is_told_without_its_quotations(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        _fail()
    except RuntimeError:
        structlog.get_logger().exception("write_failed")
    line = one(capsys)
    outer, inner = line["exception"]
    assert (outer["type"], outer["says"]) == ("builtins.RuntimeError", "could not write")
    assert inner["says"] == ""
    assert "test_logs.py" in outer["where"][0]
    assert "taro" not in json.dumps(line)


class RefusedForAReasonError(PermanentError):
    """Ours: its words are chosen."""


@pytest.mark.parametrize(
    "error, says",
    [
        (asyncpg.DataError("invalid input for query argument $3: 'taro@example.jp'"), "22000"),
        (asyncpg.UniqueViolationError("duplicate key value violates 'taro'"), "23505"),
        (ValueError("invalid literal for int() with base 10: 'taro'"), ""),
        (KeyError("taro"), ""),
        (OSError(28, "No space left on device", "/home/taro"), "No space left on device"),
        (AttributeError("'NoneType' object has no attribute 'id'"), "'NoneType' object has no attribute 'id'"),
        (RefusedForAReasonError("the key's id is taken"), "the key's id is taken"),
    ],
)
def test_the_words_of_an_error_that_may_quote_somebody_are_not_told(
    error: Exception, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info")
    structlog.get_logger().error("write_failed", exc_info=error)
    (told,) = one(capsys)["exception"]
    assert told["says"] == says


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble with %s", "x\ny")
    line = one(capsys)
    assert (line["event"], line["library"], line["said"]) == (
        "library_message",
        "some.library",
        "trouble with x\ny",
    )


def test_bound_values_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("seen")
    assert one(capsys)["request_id"] == "r1"


class _FullDisk(io.StringIO):
    def write(self, _text: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure("info")
    monkeypatch.setattr(sys, "stderr", _FullDisk())
    structlog.get_logger().error("still_working")


def test_a_closed_stream_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure("info")
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    structlog.get_logger().error("still_working")
