"""The embedded server is durable, private, and never outlives its owner."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from hub import postgres_programs
from hub.embedded_postgres import EmbeddedPostgres
from hub.postgres_programs import EmbeddedPostgresError
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
IS_ROOT = os.geteuid() == 0

OWN_AND_WAIT = """
import sys
from pathlib import Path
from hub.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder that the server's account can reach, gone after the test."""
    server = EmbeddedPostgres.temporary()
    yield server.log_path.parent
    server.stop()


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A folder in which a server has been before; it saves the others the making of a cluster."""
    server = EmbeddedPostgres.temporary()
    server.start()
    server._delete_on_stop = False
    server.stop()
    yield server.log_path.parent
    shutil.rmtree(server.log_path.parent)


def owner_process(folder: Path) -> "subprocess.Popen[str]":
    """Another process that owns the server in a folder, once its first line is read."""
    child = subprocess.Popen(
        [sys.executable, "-c", OWN_AND_WAIT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("postgresql://")
    return child


def end(child: "subprocess.Popen[str]") -> None:
    child.communicate(timeout=30)


def processes_in(folder: Path) -> list[int]:
    """The processes whose command line names the folder: the server and its guard."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in line.read_bytes():
                found.append(int(line.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [pid for pid in found if pid != os.getpid()]


def server_pid(server: EmbeddedPostgres) -> int:
    return int((server.data_path / "postmaster.pid").read_text().split()[0])


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def value_now(url: str, sql: str) -> object:
    """The same in a plain test, which may look at files between."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(value(url, sql))


async def test_what_was_committed_is_there_after_a_restart(used: Path) -> None:
    with EmbeddedPostgres(used) as server:
        await value(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(used) as server:
        assert await value(server.url, "SELECT answer FROM kept") == 42


async def test_it_is_durable_speaks_utf_8_and_keeps_utc(used: Path) -> None:
    with EmbeddedPostgres(used) as server:
        for name, expected in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "jit": "off",
            "max_connections": "200",
        }.items():
            assert (name, await value(server.url, f"SHOW {name}")) == (name, expected)
        assert await value(server.url, "SELECT lower('ÄÉ') || upper('ß表')") == "äéß表"


def test_nobody_else_gets_in(used: Path) -> None:
    with EmbeddedPostgres(used) as server:
        assert value_now(server.url, "SHOW listen_addresses") == ""
        rules = "SELECT string_agg(type || auth_method, ',') FROM pg_hba_file_rules"
        assert value_now(server.url, rules) == "localpeer,localpeer"
        for closed in (server.data_path, used / "socket"):
            assert mode_of(closed) == 0o700
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "server.log"):
            assert not mode_of(used / name) & stat.S_IRWXO, name


def test_settings_of_ones_own_come_last(folder: Path) -> None:
    (folder / "local.conf").write_text("work_mem = '7MB'\nmax_wal_size = '2GB'\n")
    (folder / "local.conf").chmod(0o644)
    with EmbeddedPostgres(folder, {"work_mem": "5MB", "log_min_duration_statement": "100ms"}) as server:
        assert value_now(server.url, "SHOW work_mem") == "7MB"
        assert value_now(server.url, "SHOW max_wal_size") == "2GB"
        assert value_now(server.url, "SHOW log_min_duration_statement") == "100ms"


async def test_errors_are_logged_without_the_rows_that_caused_them(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        await value(server.url, "CREATE TABLE citizen (mail text UNIQUE)")
        insert = "INSERT INTO citizen VALUES ('himitsu@example.jp')"
        await value(server.url, insert)
        with pytest.raises(asyncpg.UniqueViolationError):
            await value(server.url, insert)
        await wait_until(lambda: "citizen_mail_key" in server.log_path.read_text())
        log = server.log_path.read_text()
        assert "himitsu" not in log


async def test_a_stopped_server_leaves_no_process_and_no_socket(used: Path) -> None:
    server = EmbeddedPostgres(used)
    server.start()
    assert processes_in(used)
    server.stop()
    await wait_until(lambda: processes_in(used) == [], 10)
    assert not (used / "socket").exists()
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        assert server.url


def test_starting_and_stopping_twice_is_harmless(used: Path) -> None:
    server = EmbeddedPostgres(used)
    assert server.start() == server.start()
    server.stop()
    server.stop()
    assert server.start()
    server.stop()


def test_a_temporary_server_leaves_nothing() -> None:
    with EmbeddedPostgres.temporary() as server:
        folder = server.log_path.parent
        assert folder.exists()
    assert not folder.exists()


def test_what_a_killed_owner_left_is_removed_later(folder: Path) -> None:
    with EmbeddedPostgres(folder):
        os.utime(folder, (0, 0))
        EmbeddedPostgres.temporary().stop()
        assert folder.exists()
    os.utime(folder, (0, 0))
    EmbeddedPostgres.temporary().stop()
    assert not folder.exists()


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_server_does_not_outlive_its_owner(used: Path, kill: signal.Signals) -> None:
    child = owner_process(used)
    assert processes_in(used)
    child.send_signal(kill)
    end(child)
    await wait_until(lambda: processes_in(used) == [], 10)


async def test_the_next_owner_waits_for_a_killed_ones_server(used: Path) -> None:
    for _ in range(3):
        child = owner_process(used)
        child.kill()
        with EmbeddedPostgres(used) as server:
            assert await value(server.url, "SELECT 1") == 1
        end(child)


async def test_a_guest_joins_and_leaves_the_server_running(used: Path) -> None:
    child = owner_process(used)
    with EmbeddedPostgres(used) as guest:
        assert await value(guest.url, "SELECT 1") == 1
    with EmbeddedPostgres(used) as guest:
        assert await value(guest.url, "SELECT 1") == 1
    end(child)
    await wait_until(lambda: processes_in(used) == [], 10)


async def test_a_crashed_server_recovers(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = server.start()
    await value(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(server_pid(server), signal.SIGKILL)
    await wait_until(lambda: processes_in(folder) == [], 10)
    server.stop()
    with EmbeddedPostgres(folder) as again:
        assert await value(again.url, "SELECT answer FROM kept") == 42


def test_a_folder_too_deep_for_a_socket_gets_a_short_one(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True, mode=0o755)
    for part in (folder, deep.parent, deep):
        part.chmod(0o755)
    with EmbeddedPostgres(deep) as server:
        assert value_now(server.url, "SELECT 1") == 1
        (socket_folder,) = server.url.split("host=")[1:]
        assert len(socket_folder) < 80
        assert mode_of(Path(socket_folder)) == 0o700
    assert not Path(socket_folder).exists()


def test_an_interrupted_first_start_is_begun_again(folder: Path) -> None:
    (folder / "data.new").mkdir()
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder) as server:
        assert server.url


async def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        EmbeddedPostgres(folder, {"shared_buffers": "nonsense"}).start()
    await wait_until(lambda: processes_in(folder) == [], 10)


def test_a_socket_folder_that_others_may_enter_is_refused(folder: Path) -> None:
    (folder / "socket").mkdir()
    (folder / "socket").chmod(0o777)
    with pytest.raises(EmbeddedPostgresError, match="private"):
        EmbeddedPostgres(folder).start()


def test_its_programs_are_at_hand() -> None:
    server = EmbeddedPostgres(Path("/nonexistent"))
    for name in ("postgres", "pgbench", "pg_dump", "psql"):
        assert os.access(server.bin_path / name, os.X_OK)


def test_the_account_that_runs_it_owns_data_and_socket_only(used: Path) -> None:
    account = postgres_programs.find_programs().account
    with EmbeddedPostgres(used) as server:
        runs_as = owner_of(server_pid(server))
        owners = {path.name: path.stat().st_uid for path in used.iterdir()}
    runs_by = os.geteuid() if account is None else account.uid
    assert runs_as == runs_by
    assert owners.pop("data") == owners.pop("socket") == runs_by
    assert set(owners.values()) == {os.geteuid()}
    assert (account is None) == (os.geteuid() != 0)


def test_a_closed_home_stays_closed(tmp_path: Path) -> None:
    """For root the server then lives elsewhere, and the wanted folder is a link to it."""
    tmp_path.chmod(0o700)
    wanted = tmp_path / "mykey" / "postgres"
    with EmbeddedPostgres(wanted) as server:
        value_now(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        real = server.log_path.parent
    with EmbeddedPostgres(wanted) as again:
        assert value_now(again.url, "SELECT answer FROM kept") == 42
    shutil.rmtree(real)
    assert mode_of(tmp_path) == 0o700
    assert real.is_relative_to(postgres_programs.SYSTEM_HOME) == wanted.is_symlink() == IS_ROOT


def test_programs_out_of_reach_are_copied_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    package = tmp_path / postgres_programs.PACKAGE
    package.symlink_to(postgres_programs._package_folder())
    (tmp_path / f"{package.name}.libs").symlink_to(f"{package.resolve()}.libs")
    home = Path(f"{postgres_programs.SYSTEM_HOME}-test")
    monkeypatch.setattr(postgres_programs, "_package_folder", lambda: package)
    monkeypatch.setattr(postgres_programs, "SYSTEM_HOME", home)
    found = postgres_programs.find_programs()
    for name in ("postgres", "initdb", "psql"):
        assert "18" in found.run(name, ["--version"], timeout_s=10)
    assert found.bin_path.is_relative_to(home) == IS_ROOT
    assert postgres_programs.find_programs() == found
    assert mode_of(tmp_path) == 0o700
    shutil.rmtree(home, ignore_errors=not IS_ROOT)
