"""An account is named as the system knows it, whatever the environment says."""

import os
import pwd
from typing import Final

import pytest

from hub.accounts import account_name

UNKNOWN: Final = 4_000_000_123


def test_a_name_from_the_environment_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody.else")
    assert account_name(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name


def test_who_has_no_name_is_a_number() -> None:
    assert account_name(UNKNOWN) == f"uid-{UNKNOWN}"
