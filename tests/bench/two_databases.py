"""What a second database costs, `python -m tests.bench.two_databases [LOTS]`: P1 in one, the move, P1 in two.

Both are on the same server, so that nothing is gained: what is seen is the price of committing in two places. Half of
the partitions move. At the end all partitions are proved, wherever they live.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Final

from hub.settings import Settings
from schemas.values import LANES
from tests.bench import world
from tests.bench.books import prove
from tests.bench.children import Child, run_together
from tests.bench.p1_posting import PROCESSES
from tests.bench.poster import Job, Posted
from tests.bench.server import Server, create_database, prepare, started
from tests.running import SECRET_KEY
from workers.ledger.moving import spread

LOTS: Final = 300_000
ROUNDS: Final = 3
WARM_UP_S: Final = 4.0
MEASURED_S: Final = 12.0
CONNECTIONS: Final = 4
AWAY: Final = "8-15"


async def measure(server: Server, lots: int) -> None:
    """Print the figures."""
    await prepare(server, lots // world.LOTS_EACH)
    one = [await _posted(server, lots, {}) for _ in range(ROUNDS)]
    await create_database(server, "away")
    away = {AWAY: server.url_of("away")}
    settings = Settings.model_validate(
        {"database_url": server.hub_url, "secret_key": SECRET_KEY, "partition_databases": away}
    )
    began_s = time.perf_counter()
    await spread(settings)
    say(f"moved in {time.perf_counter() - began_s:.1f} s")
    two = [await _posted(server, lots, away) for _ in range(ROUNDS)]
    for name, rounds in (("one database", one), ("two databases", two)):
        say(f"{name}: {', '.join(f'{rate:,.0f}' for rate in rounds)} transfers/s")
    say(f"proved {await prove(server.hub_url, partition_databases=away):,} transfers")


async def _posted(server: Server, lots: int, away: Mapping[str, str]) -> float:
    """Transfers a second."""
    jobs = [
        Job(
            server.hub_url, f"two.{time.time_ns()}.{number}", list(range(number, LANES, PROCESSES)),
            lots // world.LOTS_EACH, WARM_UP_S, MEASURED_S, CONNECTIONS, partition_databases=dict(away),
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    children = [await Child.start("poster", job) for job in jobs]
    return sum(Posted(**one).answered for one in await run_together(children)) / MEASURED_S


def say(line: str) -> None:
    """To whoever waits for it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with started() as found:
        asyncio.run(measure(found, int(sys.argv[1]) if len(sys.argv) > 1 else LOTS))
