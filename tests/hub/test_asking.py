"""What commands that ask the hub leave behind, and what they say."""

from pathlib import Path

import pytest

from connectors.partner import commands
from hub.asking import BadFileError, OutcomeUnknownError, RefusedError, handed_over, in_words
from hub.errors import DeadlineExceededError
from tests.running import SECRET_KEY


def test_a_secret_that_was_refused_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(RefusedError), handed_over(path, "s"):
        raise RefusedError("the key's id is taken")
    assert not path.exists()


def test_a_secret_that_may_be_known_is_kept_and_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(OutcomeUnknownError, match=f"{path} is kept"), handed_over(path, "s"):
        raise DeadlineExceededError
    assert path.read_text() == "s"


def test_a_file_that_was_there_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("older")
    with pytest.raises(BadFileError), handed_over(path, "s"):
        pytest.fail("nothing is told")
    assert path.read_text() == "older"


def test_where_no_hub_runs_it_is_said_that_one_is_asked(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MYKEY_DATABASE_URL", database_url)
    monkeypatch.setenv("MYKEY_SECRET_KEY", SECRET_KEY)
    monkeypatch.setattr(commands, "DEADLINE_S", 0.3)
    assert commands.main(["list"]) == 1
    said = capsys.readouterr().err
    assert "no running hub" in said
    assert "mykey-hub up" in said


def test_what_did_not_answer_is_named_where_it_is_known() -> None:
    assert in_words(DeadlineExceededError("PostgreSQL does not answer")).endswith("PostgreSQL does not answer")
