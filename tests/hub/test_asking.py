"""What commands that ask the hub leave behind, and what they say."""

from pathlib import Path

import pytest

from hub.asking import BadFileError, OutcomeUnknownError, RefusedError, handed_over
from hub.errors import DeadlineExceededError


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
