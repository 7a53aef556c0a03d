"""Files in the drop folder: read without trusting what they are, answered, put away; each whole or not at all."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from street_software.reading import FILE_LIMIT_BYTES, Reason, RefusedFileError

QUARANTINE: Final = "quarantine"
TAKEN: Final = "taken"
ACK: Final = ".ack"
NACK: Final = ".nack"
REASON: Final = ".reason"
_FILE_MODE: Final = 0o644
"""The terminal's program reads answers as another user."""
_COPIES_LIMIT: Final = 10_000
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def content_of(path: Path) -> bytes:
    """A plain file's bytes. Raises RefusedFileError; FileNotFoundError where another reader was faster."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINKS)
    except FileNotFoundError:
        raise
    except OSError:
        if stat.S_ISREG(path.lstat().st_mode):
            raise
        raise RefusedFileError(Reason.not_a_file) from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RefusedFileError(Reason.not_a_file)
        content = file.read(FILE_LIMIT_BYTES + 1)
    if len(content) > FILE_LIMIT_BYTES:
        raise RefusedFileError(Reason.too_big)
    return content


def answer(path: Path, refusal: str) -> None:
    """Put the file's answer beside it: `.ack`, or `.nack` with the reason in it."""
    _write_whole(path.with_name(path.name + (NACK if refusal else ACK)), refusal.encode())


def put_away(path: Path) -> None:
    """It was answered."""
    _move(path, path.parent / TAKEN)


def quarantine(path: Path, reason: Reason) -> None:
    """It is not taken: kept whole, with the reason beside it."""
    _move(path, path.parent / QUARANTINE, reason)


def _move(path: Path, folder: Path, reason: Reason | None = None) -> None:
    folder.mkdir(exist_ok=True)
    target = _free(folder, path.name)
    if reason is not None:
        _write_whole(target.with_name(target.name + REASON), reason.value.encode())
    with suppress(FileNotFoundError):  # another reader was faster
        path.rename(target)
    _sync(folder)
    _sync(path.parent)


def _free(folder: Path, name: str) -> Path:
    """Nothing that is kept is written over."""
    for number in range(_COPIES_LIMIT):
        target = folder / (f"{name}.{number}" if number else name)
        if not target.is_symlink() and not target.exists():
            return target
    raise FileExistsError(name)


def _write_whole(path: Path, content: bytes) -> None:
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _set_mode(file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    _sync(path.parent)


def _set_mode(descriptor: int) -> None:
    """Whatever the umask is. A share may have no modes of its own: whoever mounted it has said who may read."""
    if os.name == "posix":
        with suppress(OSError):
            os.fchmod(descriptor, _FILE_MODE)


def _sync(folder: Path) -> None:
    """The folder's entries are durable too; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
