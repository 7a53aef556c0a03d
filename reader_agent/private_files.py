"""Files that are ours alone: keys, and what this terminal is. Written whole or not at all."""

import os
import stat
from pathlib import Path
from typing import Final

from reader_agent.names_on_disk import settle, take

FILE_LIMIT_BYTES: Final = 64 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class OpenToOthersError(Exception):
    """A file that must be ours alone can be read by others: somebody may have copied it. Enrol the terminal anew."""


def write_private(path: Path, content: bytes) -> None:
    """Readable by us alone from its first byte on (POSIX; on Windows the user's own folder guards it).

    It is on disk when this returns: the hub takes a key, and a terminal's password, once. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, content, mode=0o600)
    settle(path.parent)


def write_whole(path: Path, content: bytes, *, mode: int) -> None:
    """Whoever opens the file sees the old content or the new one, never a part. Raises OSError."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        take(half.replace, path)
    finally:
        half.unlink(missing_ok=True)


def read_private(path: Path) -> bytes | None:
    """The content; None where there is no such file. Raises OpenToOthersError, OSError."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise OpenToOthersError(path.name)
            return file.read(FILE_LIMIT_BYTES)
    except FileNotFoundError:
        return None
