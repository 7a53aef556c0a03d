"""What the demo says to type, typed: it opens the console on the demo's own hub."""

import asyncio
import json
import os
import stat
from pathlib import Path

from pydantic import SecretStr

from demo.operating import KEY_FILE, console_line
from demo.peers import CHECKOUT
from hub.settings import Settings
from tests.running import SECRET_KEY, running


async def test_the_line_opens_the_console_on_that_database(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, "registry"):
        line = console_line(tmp_path, database_url, Settings(data_dir=tmp_path, secret_key=SecretStr(SECRET_KEY)))
        process = await asyncio.create_subprocess_shell(
            f"{line} flow --json",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    at_work = {one["component"]: one["processes"] for one in json.loads(out.splitlines()[-1])["components"]}
    assert at_work["registry"] == 1
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
