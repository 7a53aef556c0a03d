"""A terminal process to be killed: `python -m tests.connectors.terminal.terminal_process URL PORT ORIGIN COMPONENT…`.

Says its resident memory in KiB for each line that comes in, and ends when its input does.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

from hub import logs, loop
from hub.clock import SystemClock
from hub.installed import installed
from hub.serving import serving
from hub.settings import Settings
from tests.memory import resident_kib
from tests.running import SECRET_KEY

FURTHER: Final = "FURTHER_SETTINGS_OF_TEST"
"""Settings by their names, as JSON in the environment."""


async def main(url: str, port: str, origin: str, components: Sequence[str]) -> None:
    """Serve until the input ends."""
    settings = Settings.model_validate(
        {"database_url": url, "secret_key": SECRET_KEY, "http_port": port, "public_url": origin, "log_level": "error"}
        | json.loads(os.environ.get(FURTHER, "{}"))
    )
    logs.configure(settings.log_level)
    async with serving(settings, SystemClock(), installed(components), url):
        while True:
            sys.stdout.write(f"{resident_kib()}\n")
            sys.stdout.flush()
            if not await asyncio.to_thread(sys.stdin.readline):
                return


if __name__ == "__main__":
    loop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
