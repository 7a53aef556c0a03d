"""One merge file into the folder: whole, durable, and never over another file."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from reader_agent import names_on_disk
from schemas.uplink import MERGE_FILE_LIMIT_BYTES, MergeTrouble

PART: Final = ".part"
FILE_MODE: Final = 0o664
"""The street's program may run as another user, whatever this one's umask; the folder says who may look in."""
_TROUBLES: Final[Mapping[int, MergeTrouble]] = {
    errno.ENOENT: MergeTrouble.missing,
    errno.ENOTDIR: MergeTrouble.missing,
    errno.ESTALE: MergeTrouble.missing,
    errno.EHOSTDOWN: MergeTrouble.missing,
    errno.EACCES: MergeTrouble.read_only,
    errno.EPERM: MergeTrouble.read_only,
    errno.EROFS: MergeTrouble.read_only,
    errno.ENOSPC: MergeTrouble.full,
    errno.EDQUOT: MergeTrouble.full,
}
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_MODES: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class DropError(Exception):
    """The file is not there, and nothing is lost by it: it can be asked for again."""

    def __init__(self, trouble: MergeTrouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


def put(folder: Path, name: str, content: bytes) -> None:
    """The file is there when this returns, on disk, as long as `settle` is called too. Raises DropError."""
    path, half = folder / name, folder / (name + PART)
    clear(folder, name)
    try:
        if _is_there(path, content):
            return
        try:
            _write(half, content)
            _take_name(half, path)
        finally:
            half.unlink(missing_ok=True)
    except FileExistsError:
        raise DropError(MergeTrouble.exists) from None
    except OSError as error:
        raise DropError(trouble_of(error)) from error


def clear(folder: Path, name: str) -> None:
    """Nothing is left of a drop that a power cut ended half-way. Raises DropError."""
    try:
        (folder / (name + PART)).unlink(missing_ok=True)
    except OSError as error:
        raise DropError(trouble_of(error)) from error


def settle(folder: Path) -> None:
    """The names in the folder are on disk too. Raises DropError."""
    try:
        names_on_disk.settle(folder)
    except OSError as error:
        raise DropError(trouble_of(error)) from error


def look_at(folder: Path | None) -> MergeTrouble | None:
    """How the folder is, as far as looking tells."""
    if folder is None:
        return MergeTrouble.no_folder
    try:
        if not folder.is_dir():
            return MergeTrouble.missing
    except OSError as error:
        return trouble_of(error)
    return None if os.access(folder, os.W_OK | os.X_OK) else MergeTrouble.read_only


def trouble_of(error: OSError) -> MergeTrouble:
    """What a person can do something about."""
    return _TROUBLES.get(error.errno or 0, MergeTrouble.failed)


def _is_there(path: Path, content: bytes) -> bool:
    """Whether this very file is there. Raises DropError where another one is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINKS)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DropError(MergeTrouble.exists if path.is_symlink() else trouble_of(error)) from error
    with os.fdopen(descriptor, "rb") as file:
        if file.read(MERGE_FILE_LIMIT_BYTES + 1) != content:
            raise DropError(MergeTrouble.exists)
    return True


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        _set_mode(file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _set_mode(descriptor: int) -> None:
    """FILE_MODE, of which the umask has taken its part."""
    if os.name != "posix":
        return
    try:
        os.fchmod(descriptor, FILE_MODE)
    except OSError as error:
        # A share that has no modes of its own: whoever mounted it has said who may read.
        if error.errno not in _NO_MODES:
            raise


def _take_name(half: Path, path: Path) -> None:
    """Raises FileExistsError. POSIX's rename would write over what is there, a link does not."""
    if os.name != "posix":
        names_on_disk.take(half.rename, path)
        return
    try:
        os.link(half, path)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # A share that has no hard links: nobody else makes such names, so looking first is enough.
        if path.exists():
            raise FileExistsError(path.name) from error
        half.rename(path)
