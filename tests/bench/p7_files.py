"""P7: a signed file of transfers, from the first byte of it to its last outcome; then its result file is read.

The partner is a process of its own, as its clients in P2 are: it makes and signs the file beforehand. All else happens
in one hub process, whose memory is looked at afterwards: the most that it has ever held.
"""

import csv
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any, Final

from aiohttp import ClientSession

from demo.ports import free_port
from hub import loop
from tests.bench.books import adding_up
from tests.bench.children import Child, say, started, told
from tests.bench.figures import Measured
from tests.bench.hub_process import Job as HubJob
from tests.bench.partners import POSTED, item_of, key_id_of, private_key_of
from tests.bench.seeding import LINKED_CITIZENS
from tests.bench.server import Server
from tests.peers.airline.client import Hub, finished, session
from tests.peers.airline.signing import Signer

COMPONENTS: Final = ("partner", "registry", "ledger")
SIZES: Final = {"partner": 4, "registry": 4, "ledger": 4}
NDJSON: Final = "application/x-ndjson"
PARTNER: Final = 0
FILE_LIMIT_S: Final = 1_200.0
PARTNER_LIMIT_S: Final = FILE_LIMIT_S + 300.0
"""Handing in and reading the results included."""
STEPS_WANTED: Final = 10
"""How often a partner that asks must see that a file has got on, at least."""
LEAST_ROWS: Final = 40_000
"""A file of so many takes longer than the partner needs to ask so often."""


@dataclass(frozen=True, slots=True)
class Job:
    """Hand in `rows` transfers to the first so many `linked` citizens, under ids that begin with `run`."""

    url: str
    run: str
    rows: int
    linked: int


@dataclass(slots=True)
class Worked:
    """What came of the file: by its progress, and by its result file, which has `lines` with the `points` posted."""

    rows: int
    size_bytes: int
    upload_s: float
    work_s: float
    results_s: float
    steps: int
    outcomes: dict[str, Any]
    lines: int = 0
    points: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


class Files:
    """The measurement."""

    def __init__(self, server: Server, citizens: int, rows: int) -> None:
        self._server = server
        self._linked = min(citizens, LINKED_CITIZENS)
        self._rows = rows

    async def measure(self) -> Measured:
        """One round, and whether file, result file and books say the same after it."""
        async with adding_up(self._server.hub_url) as books:
            job = HubJob(self._server.hub_url, free_port(), SIZES, COMPONENTS)
            async with started("hub_process", [job]) as (hub,):
                worked = await self._hand_in(await hub.ready())
                hub.go()
                ended = await hub.result()
            books.commands, books.points = worked.lines, worked.points
        _check(worked)
        took_s = worked.upload_s + worked.work_s
        notes = {
            "rows": f"{worked.rows:,}",
            "MB": round(worked.size_bytes / 1e6),
            "hub's peak MiB (goal 250)": round(ended["peak_kib"] / 1024),
            "hub Python µs": round(ended["cpu_s"] / worked.rows * 1e6, 1),
            "a block": books.a_block,
            "upload s": round(worked.upload_s, 1),
            "work s": round(worked.work_s, 1),
            "result file read in s": round(worked.results_s, 1),
            "progress seen": f"{worked.steps} times",
        }
        return Measured(worked.rows / took_s, notes)

    async def _hand_in(self, url: str) -> Worked:
        partner = await Child.start("p7_files", Job(url, f"p7.{time.time_ns()}", self._rows, self._linked))
        try:
            await partner.ready()
            partner.go()
            return Worked(**await partner.result(PARTNER_LIMIT_S))
        finally:
            await partner.end()


def _check(worked: Worked) -> None:
    assert worked.statuses == {POSTED: worked.rows}, worked.statuses
    assert worked.outcomes == {"posted": worked.rows, "points": worked.points, "replayed": 0, "refused": {}}, worked
    assert worked.steps >= STEPS_WANTED, f"progress was seen {worked.steps} times"


async def hand_in(job: Job) -> None:
    """Make the file, wait for the word, hand it in, ask how far it is until it is finished, read its results."""
    content = b"".join(_lines(job))
    say("ready")
    await told()
    steps: list[int] = []
    signer = Signer(key_id_of(PARTNER), private_key_of(PARTNER))
    async with session() as http:
        hub = Hub(http, job.url, signer)
        began_s = time.perf_counter()
        file_id = await hub.post_file(content, job.run, NDJSON)
        taken_s = time.perf_counter()
        file = await finished(hub, file_id, FILE_LIMIT_S, _noting(steps))
        finished_s = time.perf_counter()
        worked = Worked(
            rows=job.rows, size_bytes=len(content), upload_s=taken_s - began_s, work_s=finished_s - taken_s,
            results_s=0.0, steps=len(steps), outcomes=file["outcomes"],
        )  # fmt: skip
        table = await _result_file(http, signer, f"{job.url}/api/partner/transfer-files/{file_id}/results.csv")
        worked.results_s = time.perf_counter() - finished_s
    _count(table, worked)
    say(asdict(worked))


def _lines(job: Job) -> Iterator[bytes]:
    chance = random.Random(job.run)
    for number in range(job.rows):
        yield json.dumps(item_of(f"{job.run}.{number}", job.linked, chance)).encode() + b"\n"


def _noting(steps: list[int]) -> Callable[..., None]:
    """Notes each time that more is done than was seen before, and less than all."""

    def tell(_event: str, *, done: int, rows: int, **_values: object) -> None:
        if max(steps, default=0) < done < rows:
            steps.append(done)

    return tell


async def _result_file(http: ClientSession, signer: Signer, url: str) -> bytes:
    async with http.get(url, headers=signer.headers("GET", url, None, {})) as answer:
        answer.raise_for_status()
        return await answer.read()


def _count(table: bytes, worked: Worked) -> None:
    statuses = Counter[str]()
    for row in csv.DictReader(StringIO(table.decode("utf-8-sig"))):
        statuses[row["status"]] += 1
        worked.points += int(row["points"])
    worked.statuses, worked.lines = dict(statuses), statuses.total()


if __name__ == "__main__":
    loop.run(hand_in(Job(**json.loads(sys.argv[1]))))
