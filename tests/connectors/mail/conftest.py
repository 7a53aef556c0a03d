"""The mail server that the tests share, in a process of its own, with nothing in it at each test's start."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest

from tests.connectors.mail.mailbox import Mailbox

STOP_TIMEOUT_S: Final = 10


@pytest.fixture(scope="session")
def mailbox_process() -> Iterator[Mailbox]:
    """Started once."""
    with subprocess.Popen([sys.executable, "-m", "tests.peers.mailbox"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        yield Mailbox(ports["smtp_port"], ports["http_port"])
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


@pytest.fixture
async def mailbox(server_url: str, mailbox_process: Mailbox) -> AsyncIterator[Mailbox]:
    """Empty and well-behaved; `server_url` is what opens loopback to a test."""
    assert server_url
    await mailbox_process.forget()
    yield mailbox_process
    await mailbox_process.misbehave()
