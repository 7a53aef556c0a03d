"""The agent's task for Windows: started in its user's session, and at work until that ends."""

import re
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tests.deploy.parts import DEPLOY, ROOT

TASK: Final = DEPLOY / "windows" / "mykey-agent.xml"
DOC: Final = ROOT / "docs" / "terminals.md"
USER: Final = r"COUNTER\clerk"
NAMESPACE: Final = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def told(path: str) -> str:
    """What the task says at that place."""
    found = ET.fromstring(TASK.read_bytes()).find("/".join(NAMESPACE + name for name in path.split("/")))  # noqa: S314 - our own
    assert found is not None, path
    return found.text or ""


@pytest.mark.parametrize(
    "path, value",
    [
        ("Settings/ExecutionTimeLimit", "PT0S"),
        ("Settings/DisallowStartIfOnBatteries", "false"),
        ("Settings/StopIfGoingOnBatteries", "false"),
        ("Settings/RestartOnFailure/Interval", "PT1M"),
        # The other one is for a start that fails; a program that has ended is started by this.
        ("Triggers/LogonTrigger/Repetition/Interval", "PT1M"),
        ("Settings/MultipleInstancesPolicy", "IgnoreNew"),
        ("Principals/Principal/LogonType", "InteractiveToken"),
        ("Principals/Principal/RunLevel", "LeastPrivilege"),
    ],
)
def test_it_is_at_work_for_as_long_as_its_user_is_there(path: str, value: str) -> None:
    assert told(path) == value


def test_it_starts_what_the_page_installs_for_the_user_that_the_page_puts_in() -> None:
    text = DOC.read_text(encoding="utf-8")
    program = re.search(r"(C:\\MyKeyAgent)\\Scripts\\pip install", text)
    assert program is not None
    assert told("Actions/Exec/Command") == rf"{program[1]}\Scripts\mykey-agent.exe"
    assert told("Actions/Exec/Arguments") == "run"
    assert {told("Triggers/LogonTrigger/UserId"), told("Principals/Principal/UserId")} == {USER}
    assert f"deploy\\windows\\{TASK.name} -Raw).Replace('{USER}'," in text
    assert "schtasks /Create /TN MyKeyAgent /XML " in text


def test_windows_reads_it_whatever_its_encoding_becomes() -> None:
    assert TASK.read_bytes().isascii()
    assert "encoding" not in TASK.read_text()
