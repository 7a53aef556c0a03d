"""A worker as a process of its own, to be killed: `python -m tests.reliability.worker_process URL DAYS COMPONENT…`.

Hosts the ledger, the listener (`mail`), or both on a shared database, `DAYS` business days after the tests' first day.
MYKEY_FAILPOINT arms a failpoint, MYKEY_PLANTED plants a bug, MYKEY_BROKER_OF_TEST names a broker. It says `loaded`,
waits for a line, says `at work`, and ends when its input does.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Final

import structlog

from hub import database
from hub.clock import AdjustableClock
from hub.component import Installed
from hub.installed import installed
from hub.process import HubProcess
from hub.settings import Settings
from hub.transports import lanes
from tests.reliability import listener
from tests.reliability.planted.broker_bugs import BROKER_BUGS
from tests.reliability.planted.bugs import BUGS
from tests.running import SECRET_KEY
from tests.workers.ledger.world import START

PLANTED: Final = "MYKEY_PLANTED"
AMQP_URL: Final = "MYKEY_BROKER_OF_TEST"
GIVEN_UP: Final = "MYKEY_GIVEN_UP_OF_TEST"
GIVEN_UP_S: Final = 5.0
"""After how long a database that has gone silent is given up, where that is tested."""
LEASE_S: Final = 1.0
RENEW_S: Final = 0.25


def hasten() -> None:
    """Let leases be short in this program, so that a takeover need not be waited for long; and patience, if told."""
    vars(lanes).update(LEASE_S=LEASE_S, RENEW_S=RENEW_S)
    vars(database).update(COMMAND_TIMEOUT_S=float(os.environ.get(GIVEN_UP) or database.COMMAND_TIMEOUT_S))


def say(word: str) -> None:
    """Tell the harness."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def over(amqp_url: str) -> dict[str, str]:
    """The settings of the transport: by this broker, or by none."""
    return {"transport": "rabbitmq", "amqp_url": amqp_url} if amqp_url else {}


def _installed(name: str) -> Installed:
    """Without its jobs: of two that do not agree on the day, one would close days on which the other still posts."""
    return listener.INSTALLED if name == listener.INSTALLED.name else installed([name])[0].without_work()


async def main(url: str, days: int, components: Sequence[str]) -> None:
    """Load, wait to be told, work until the input ends."""
    loop = asyncio.get_running_loop()
    say("loaded")
    if not await loop.run_in_executor(None, sys.stdin.readline):
        return
    transport = over(os.environ.get(AMQP_URL, ""))
    settings = Settings.model_validate({"database_url": url, "secret_key": SECRET_KEY, "pool_size": 6, **transport})
    clock = AdjustableClock(START + timedelta(days=days))
    hosted = [_installed(name) for name in components]
    async with HubProcess(settings, clock, hosted, url):
        say("at work")
        await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    hasten()
    planted = os.environ.get(PLANTED)
    with (BUGS | BROKER_BUGS)[planted].plant() if planted else nullcontext():
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
