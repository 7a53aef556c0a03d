"""The names that files get in a folder, once what is in them is on disk."""

import os
from pathlib import Path


def settle(folder: Path) -> None:
    """The folder's names outlive a power cut too; Windows has no such call and needs none. Raises OSError."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
