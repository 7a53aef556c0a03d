"""The folders of the embedded PostgreSQL: its own, its socket's, and those of temporary servers.

As root they are made so that the server's account reaches them and nobody else does; no folder that is not
ours is opened for it.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from hub.postgres_programs import (
    SYSTEM_HOME,
    Account,
    EmbeddedPostgresError,
    can_reach,
    find_programs,
    open_private,
    prepare_system_home,
)

SOCKET_NAME = ".s.PGSQL.5432"

# The kernel's limit is 108 with the final zero; macOS's is 104.
_SOCKET_PATH_LIMIT_BYTES = 100
_SHORT_BASE_LIMIT_BYTES = 60
_SHORT_NAME_CHARACTERS = 12
_OTHERS_BITS = 0o77
_TEMPORARY_PREFIX = "mykey-postgres-"
_TEMPORARY_STALE_AFTER_S = 3600


def prepared(wanted: Path, account: Account | None) -> Path:
    """The folder itself, made if need be; for root one that the server's account can pass through."""
    if not wanted.exists():
        wanted.mkdir(parents=True, mode=0o700)
    if account is None:
        return wanted.resolve()
    if not (wanted / "data").exists() and not can_reach(wanted.resolve().parent, account):
        wanted = _linked_to_system_home(wanted)
    folder = wanted.resolve()
    os.chown(folder, 0, account.gid)
    folder.chmod(0o710)
    return folder


def _linked_to_system_home(wanted: Path) -> Path:
    servers = SYSTEM_HOME / "servers"
    prepare_system_home()
    servers.mkdir(exist_ok=True)
    servers.chmod(0o711)
    real = Path(tempfile.mkdtemp(dir=servers))
    wanted.rmdir()
    wanted.symlink_to(real)
    return wanted


def make_private(folder: Path, account: Account | None) -> None:
    """Make a folder that only the server's account may enter."""
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def temporary(base: Path | None = None) -> Path:
    """A new folder for a server that will not be kept; those of killed processes are removed on the way.

    It is in `base`, or where temporary files are.
    """
    account = find_programs().account
    base = base or Path(tempfile.gettempdir())
    if account is not None and not can_reach(base, account):
        base = SYSTEM_HOME
    for old in base.glob(f"{_TEMPORARY_PREFIX}*"):
        _remove_abandoned(old)
    return Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=base))


def _remove_abandoned(folder: Path) -> None:
    """Remove a temporary server whose owner was killed: old, ours, and its lock is free."""
    with suppress(OSError):
        status = folder.lstat()
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if not is_ours or time.time() - status.st_mtime < _TEMPORARY_STALE_AFTER_S:
            return
        with os.fdopen(open_private(folder / "owner.lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


def of_socket(folder: Path) -> Path:
    """The folder of a server's socket.

    In its own, or a short path, always the same, where that lies too deep.
    """
    inside = folder / "socket"
    if len(os.fsencode(inside / SOCKET_NAME)) <= _SOCKET_PATH_LIMIT_BYTES:
        return inside
    base = tempfile.gettempdir()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:_SHORT_NAME_CHARACTERS]
    return Path(base if len(os.fsencode(base)) <= _SHORT_BASE_LIMIT_BYTES else "/tmp", f"mykey-{digest}")  # noqa: S108


def prepared_for_socket(folder: Path, account: Account | None) -> Path:
    """The same, made if need be.

    Raises:
        EmbeddedPostgresError: somebody else made it, or others may enter it.
    """
    made = of_socket(folder)
    if not made.exists():
        make_private(made, account)
    status = made.lstat()
    owner = account.uid if account else os.geteuid()
    if status.st_uid != owner or status.st_mode & _OTHERS_BITS or not stat.S_ISDIR(status.st_mode):
        raise EmbeddedPostgresError(f"{made} is not a private folder of ours: remove it")
    return made
