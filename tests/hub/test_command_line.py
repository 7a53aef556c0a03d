"""What `mykey-hub` says to somebody who does not know it yet, or has got it wrong."""

import pytest

from connectors.operations.work import NotPausableError
from hub.__main__ import main
from hub.redriving import NoSuchDeliveryError
from hub.waterfall import NoSuchTraceError


@pytest.mark.parametrize(
    "error, words",
    [
        (NotPausableError("operations"), "operations: This component stays"),
        (NoSuchDeliveryError("1"), "1: No delivery of that id is waiting"),
        (NoSuchTraceError("nothing"), "nothing: The message store knows no such trace"),
        (NoSuchTraceError(), "NoSuchTraceError: The message store knows no such trace"),
        (NotPausableError("this is said in words"), "NotPausableError: this is said in words"),
    ],
)
def test_a_bare_id_is_told_with_what_is_the_matter_with_it(
    error: NotPausableError | NoSuchDeliveryError | NoSuchTraceError, words: str
) -> None:
    assert words in error.in_words()
    assert error.in_words().count(error.explanation()) <= 1


def test_running_what_is_not_there_names_what_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nosuch"]) == 1
    said = capsys.readouterr().err
    assert "no component nosuch" in said
    assert "ledger, library, mail" in said


def test_the_help_of_run_names_the_components(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "ledger, library, mail" in " ".join(capsys.readouterr().out.split())
