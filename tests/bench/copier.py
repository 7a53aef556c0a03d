"""Y2's process: fetches its share of the newest transfers, and copies them into an empty table, 500 a transaction."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

from hub import loop
from tests.bench.children import say, told
from tests.bench.server import connected

ROWS_A_CALL: Final = 500
ROWS_LIMIT: Final = 250_000

SHARE: Final = """
SELECT partition, block, line, outcome, kind, debit, credit, points, business_date FROM ledger.transfer
WHERE block > 1 AND partition % $2::int = $1::int ORDER BY block DESC, partition, line LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Job:
    """Copy the share `number` of `processes`."""

    database_url: str
    number: int
    processes: int


async def copy(job: Job) -> None:
    """Fetch, wait for the word, copy."""
    connection = await connected(job.database_url)
    found = await connection.fetch(SHARE, job.number, job.processes, ROWS_LIMIT)
    rows: list[tuple[Any, ...]] = [tuple(row) for row in found]
    say("ready")
    await told()
    started_s, cpu_s = time.perf_counter(), time.process_time()
    for first in range(0, len(rows), ROWS_A_CALL):
        await connection.copy_records_to_table("bench_copy", records=rows[first : first + ROWS_A_CALL])
    ended_s, ended_cpu_s = time.perf_counter(), time.process_time()
    await connection.close()
    say({"rows": len(rows), "measured_s": ended_s - started_s, "cpu_s": ended_cpu_s - cpu_s})


if __name__ == "__main__":
    loop.run(copy(Job(**json.loads(sys.argv[1]))))
