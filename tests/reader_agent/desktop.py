"""A desktop without a screen: an X server of the test's own, and a window that writes down what is typed into it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.waiting import wait_until

PROGRAMS: Final = ("Xvfb", "xdotool", "xclip", "xsel", "xterm")
MISSING: Final = f"one of {', '.join(PROGRAMS)} is not installed: nothing is typed into a window"
LINE: Final = 'read -r line; printf %s "$line" > "$0.half"; mv "$0.half" "$0"'
STOP_LIMIT_S: Final = 10


def is_there() -> bool:
    """Whether there is all that it takes."""
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def desktop() -> Iterator[str]:
    """The display's name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", "-noreset", "-screen", "0", "800x600x24"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait(STOP_LIMIT_S)


@contextmanager
def window(display: str, written: Path) -> Iterator[None]:
    """A window over the whole screen; the line that is typed into it is written to a file."""
    environment = {**os.environ, "DISPLAY": display}
    command = ["xterm", "-geometry", "200x60+0+0", "-e", "sh", "-c", LINE, str(written)]
    shown = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        shown.terminate()
        shown.wait(STOP_LIMIT_S)


async def until_shown(display: str) -> None:
    """Wait until the window is there."""

    async def is_shown() -> bool:
        search = ["xdotool", "search", "--onlyvisible", "--class", "xterm"]
        found = subprocess.run(search, env={**os.environ, "DISPLAY": display}, capture_output=True, check=False)  # noqa: ASYNC221
        return found.returncode == 0

    await wait_until(is_shown)


def clipboard(display: str) -> str:
    """What lies in the clipboard, as another program sees it."""
    told = subprocess.run(
        ["xclip", "-selection", "clipboard", "-out"],  # noqa: S607 - wherever it is installed
        env={**os.environ, "DISPLAY": display},
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout
