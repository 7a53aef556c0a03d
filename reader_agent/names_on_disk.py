"""The names that files get in a folder, once what is in them is on disk."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

BUSY_LIMIT_S: Final = 1.0
"""For so long a virus scanner on Windows may have a new file open, which cannot be renamed meanwhile."""
BUSY_POLL_S: Final = 0.05


def take(rename: Callable[[Path], Path], path: Path) -> None:
    """Have a file just written renamed to `path`, by its own `rename` or `replace`. Raises OSError."""
    give_up = time.monotonic() + BUSY_LIMIT_S
    while True:
        try:
            rename(path)
        except PermissionError:
            if os.name != "nt" or time.monotonic() > give_up:
                raise
        else:
            return
        time.sleep(BUSY_POLL_S)


def settle(folder: Path) -> None:
    """The folder's names outlive a power cut too; Windows has no such call and needs none. Raises OSError."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
