"""The yardsticks: what the same server does for others, in the same call."""

import asyncio
import os
import re
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.children import Child, run_together
from tests.bench.copier import Job as CopyJob
from tests.bench.figures import Measured
from tests.bench.plain import ACCOUNTS
from tests.bench.plain import Job as PlainJob
from tests.bench.server import Server, connected, create_database, even_out

PGBENCH_DATABASE: Final = "bench_pgbench"
PGBENCH_SCALE: Final = 50
PGBENCH_CLIENTS: Final = 16
PGBENCH_THREADS: Final = 2
SETUP_LIMIT_S: Final = 120.0

PLAIN_DATABASE: Final = "bench_plain"
PLAIN_CLIENTS: Final = 64
PLAIN_TABLES: Final = """
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int NOT NULL REFERENCES account, amount bigint NOT NULL,
    reference uuid NOT NULL, at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON entry (account);
"""
PLAIN_ACCOUNTS: Final = "INSERT INTO account SELECT id, 1000000 FROM generate_series(1, $1::int) AS id"

COPY_TABLE: Final = """
DROP TABLE IF EXISTS bench_copy;
CREATE TABLE bench_copy (LIKE ledger.transfer INCLUDING DEFAULTS);
ALTER TABLE bench_copy ADD PRIMARY KEY (partition, block, outcome, line);
"""
COPY_PROCESSES: Final = 2


class Pgbench:
    """Y1."""

    def __init__(self, server: Server, measured_s: float) -> None:
        self._server = server
        self._measured_s = measured_s

    async def prepare(self) -> None:
        """Its own database, initialised."""
        await create_database(self._server, PGBENCH_DATABASE)
        await self._run("-i", "-q", "-s", str(PGBENCH_SCALE))

    async def measure(self) -> Measured:
        """As pgbench does it when told nothing else; beside it what its fastest protocol gives, prepared statements."""
        value, failed, average_ms = await self._script()
        prepared, _, _ = await self._script("-M", "prepared")
        notes = {"failed": failed, "average ms": average_ms, "with -M prepared": f"{prepared:,.0f}"}
        return Measured(value, notes)

    async def p50_ms(self) -> float:
        """The median time of a transaction at one client."""
        with tempfile.TemporaryDirectory(prefix="mykey-pgbench-") as folder:
            await _even_out(self._server)
            seconds = f"{self._measured_s:.0f}"
            await self._run("-c", "1", "-j", "1", "-T", seconds, "-l", f"--log-prefix={folder}/log")
            logged = await asyncio.to_thread(_latencies_us, Path(folder))
        return median(logged) / 1e3

    async def _script(self, *options: str) -> tuple[float, str, str]:
        clients, threads = str(PGBENCH_CLIENTS), str(PGBENCH_THREADS)
        await _even_out(self._server)
        told = await self._run(*options, "-c", clients, "-j", threads, "-T", f"{self._measured_s:.0f}")
        found = re.search(r"^tps = ([0-9.]+)", told, re.MULTILINE)
        failed = re.search(r"^number of failed transactions: ([0-9]+)", told, re.MULTILINE)
        latency = re.search(r"^latency average = ([0-9.]+) ms", told, re.MULTILINE)
        assert found is not None, told
        return float(found[1]), failed[1] if failed else "?", latency[1] if latency else "?"

    async def _run(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(self._server.bin_path / "pgbench"), *arguments,
            "-h", self._server.socket_folder, "-U", self._server.owner, PGBENCH_DATABASE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )  # fmt: skip
        async with asyncio.timeout(SETUP_LIMIT_S + self._measured_s):
            told, _ = await process.communicate()
        assert process.returncode == 0, told.decode()
        return told.decode()


def _latencies_us(folder: Path) -> list[int]:
    """Of every transaction that was logged: the third column is its time."""
    return [int(line.split()[2]) for log in folder.iterdir() for line in log.read_text("ascii").splitlines()]


class RawCopy:
    """Y2; there must be transfers of P1."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def measure(self) -> Measured:
        """Copy the newest transfers, each once, into an empty table with the same primary key."""
        connection = await connected(self._server.hub_url)
        try:
            await connection.execute(COPY_TABLE)
            await even_out(connection)
            jobs = [CopyJob(self._server.hub_url, number, COPY_PROCESSES) for number in range(COPY_PROCESSES)]
            copied = await run_together([await Child.start("copier", job) for job in jobs])
            there = await connection.fetchval("SELECT count(*) FROM bench_copy")
            await connection.execute("DROP TABLE bench_copy")
        finally:
            await connection.close()
        rows = sum(one["rows"] for one in copied)
        cpu = sum(one["cpu_s"] for one in copied)
        assert there == rows
        notes = {"rows": rows, "client µs": round(cpu / rows * 1e6, 1)}
        return Measured(sum(one["rows"] / one["measured_s"] for one in copied), notes)


class PlainEntries:
    """Y5."""

    def __init__(self, server: Server, measured_s: float) -> None:
        self._server = server
        self._measured_s = measured_s

    async def prepare(self) -> None:
        """Its own database, with its accounts."""
        await create_database(self._server, PLAIN_DATABASE)
        connection = await connected(self._server.url_of(PLAIN_DATABASE))
        try:
            await connection.execute(PLAIN_TABLES)
            await connection.execute(PLAIN_ACCOUNTS, ACCOUNTS)
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()

    async def measure(self) -> Measured:
        """64 clients in two processes, so that the clients are not what limits."""
        await _even_out(self._server)
        url = self._server.url_of(PLAIN_DATABASE)
        jobs = [PlainJob(url, PLAIN_CLIENTS // 2, self._measured_s, number) for number in range(2)]
        done = await run_together([await Child.start("plain", job) for job in jobs])
        connection = await connected(url)
        try:
            off = await connection.fetchval(
                "SELECT (SELECT sum(balance) FROM account) - $1 + (SELECT coalesce(sum(amount), 0) FROM entry)",
                ACCOUNTS * 1_000_000,
            )
        finally:
            await connection.close()
        transfers = sum(one["transfers"] for one in done)
        notes = {"off by": int(off), "client µs": round(sum(one["cpu_s"] for one in done) / transfers * 1e6, 1)}
        return Measured(transfers / self._measured_s, notes)


async def _even_out(server: Server) -> None:
    connection = await connected(server.hub_url)
    try:
        await even_out(connection)
    finally:
        await connection.close()
