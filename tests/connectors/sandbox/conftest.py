"""One sandbox for the session, started by its own command; each test is somebody else in it, all live in one time."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from demo.ports import free_port
from tests.connectors.partner.town import HOST

START_LIMIT_S = 140.0
STOP_LIMIT_S = 60.0


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where it is."""
    port, said = free_port(), tmp_path_factory.mktemp("sandbox") / "said"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYKEY_")}
    command = [sys.executable, "-m", "hub", "sandbox", "--port", str(port)]
    with said.open("wb") as file:
        process = subprocess.Popen(command, env=kept, stdout=file, stderr=subprocess.STDOUT)
    try:
        give_up = time.monotonic() + START_LIMIT_S
        while b"stays up" not in said.read_bytes():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < give_up, said.read_text()
            time.sleep(0.05)
        yield f"http://{HOST}:{port}"
        assert process.poll() is None, said.read_text()
    finally:
        process.terminate()
        assert process.wait(STOP_LIMIT_S) == 0
