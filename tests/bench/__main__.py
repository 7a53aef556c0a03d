"""`make bench`, `mykey-hub bench`, `python -m tests.bench`: every figure beside its yardsticks, in one call."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from connectors.partner.intake import ROWS_LIMIT
from tests import rabbitmq
from tests.bench import report, world
from tests.bench.books import BooksError, prove
from tests.bench.broker_yardsticks import BrokerCeiling, Ordinary
from tests.bench.checkout import Checkout
from tests.bench.figures import ROWS, Measure, NotMeasuredError, Results
from tests.bench.many_lots import HundredPointLots
from tests.bench.open_loop import Zipf
from tests.bench.p1_posting import Posting
from tests.bench.p2_end_to_end import APART, EndToEnd
from tests.bench.p5_growth import Growth
from tests.bench.p7_files import LEAST_ROWS, Files
from tests.bench.p8_expiry import Expiry
from tests.bench.p9_pages import Pages
from tests.bench.p10_mail import Mails
from tests.bench.p11_start import Start
from tests.bench.server import NotDurableError, Server, connected, prepare, settings_of, started
from tests.bench.world import Scenario
from tests.bench.yardsticks import Pgbench, PlainEntries, RawCopy
from tests.rabbitmq import Broker

LOTS: Final = 3_000_000
TRANSFERS: Final = 10_000_000
FILE_ROWS: Final = 1_000_000
NOTICES: Final = 20_000
ROUNDS: Final = 3
WIDTH: Final = 170
"""Characters the table needs; a pipe would be taken for 80."""
CONNECTIONS: Final = 4
SIZES: Final = {"ledger": 4, "partner": 4, "registry": 4, "mail": 4}
SMALL_SET: Final = frozenset({"Y1", "Y2", "Y3", "Y4", "Y5", "P1", "P2", "P3", "P4", "P9"})
"""What is measured when nothing else is asked for; `--full` measures all."""
NEED_PGBENCH: Final = frozenset({"Y1", "checkout"})
NEED_BROKER: Final = frozenset({"Y3", "Y4", "P3"})
AT_ONCE: Final = 4
"""Batches each partner has under way."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of a round."""

    pgbench_s: float
    plain_s: float
    ordinary_s: float
    ceiling_s: float
    warm_up_s: float
    posting_s: float
    end_to_end_s: float
    pages_s: float
    checkout_s: float


SHORT: Final = Lengths(6, 5, 6, 5, 4, 12, 10, 5, 10)
LONG: Final = Lengths(60, 20, 30, 20, 10, 60, 60, 30, 60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure against the yardsticks (`make bench` sets up what it needs).

    0 when everything was measured and added up, 1 when not; goals that were missed are told, not punished.
    """
    options = _options(arguments)
    console = Console()
    console.width = max(console.width, WIDTH)
    started_s = time.monotonic()
    try:
        with started() as server, _broker(options, console) as broker:
            results = asyncio.run(_run(server, broker, options, console))
    except (BooksError, NotDurableError) as error:
        console.print(f"[red]{type(error).__name__}: {error}")
        return 1
    report.write(results, options.json)
    console.print(f"{time.monotonic() - started_s:.0f} s; {report.FOLDER / 'latest.json'}")
    return 0


@contextmanager
def _broker(options: argparse.Namespace, console: Console) -> Iterator[Broker | None]:
    """A RabbitMQ of its own for this call, if it is asked for; where there is none, the rows that need it are left."""
    if options.keys.isdisjoint(NEED_BROKER):
        yield None
    elif not rabbitmq.is_installed():
        console.print(f"{rabbitmq.MISSING}: without {', '.join(sorted(options.keys & NEED_BROKER))}")
        options.keys -= NEED_BROKER
        yield None
    else:
        with Broker() as running:
            yield running


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mykey-hub bench", description="Measure against yardsticks")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="interleaved rounds")
    parser.add_argument("--only", default="", metavar="P1,P2", help="these figures, with the yardsticks they need")
    parser.add_argument("--full", action="store_true", help="rounds of a minute, and the proof of the books at the end")
    parser.add_argument("--load", type=int, default=LOTS, metavar="LOTS", help="lots in the ledger beforehand")
    parser.add_argument("--transfers", type=int, default=TRANSFERS, metavar="N", help="P5: transfers behind it")
    parser.add_argument("--rows", type=int, default=FILE_ROWS, metavar="N", help="P7: transfers in the file")
    parser.add_argument("--notices", type=int, default=NOTICES, metavar="N", help="P10: notices to mail")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args(arguments)
    options.keys = _keys(options.only or ",".join(ROWS if options.full else SMALL_SET))
    if not options.keys <= ROWS.keys() or options.rounds < 1 or options.load < world.LOTS_EACH:
        parser.error(f"rows are {', '.join(ROWS)}; at least one round, and one citizen with {world.LOTS_EACH} lots")
    if not LEAST_ROWS <= options.rows <= ROWS_LIMIT or options.notices < 1:
        parser.error(f"a file has {LEAST_ROWS:,} to {ROWS_LIMIT:,} rows; at least one notice")
    return options


def _keys(only: str) -> set[str]:
    """The rows asked for, and what they are held against."""
    asked = {key.strip() for key in only.split(",") if key.strip()}
    needed = {yardstick for key in asked & ROWS.keys() for yardstick in ROWS[key].goal}
    return asked | needed | ({"P1"} if "Y2" in asked | needed else set())


async def _run(server: Server, broker: Broker | None, options: argparse.Namespace, console: Console) -> Results:
    load = os.getloadavg()[0]
    connection = await connected(server.hub_url)
    settings = await settings_of(connection)
    await connection.close()
    citizens = options.load // world.LOTS_EACH
    with console.status("loading"):
        await prepare(server, citizens)
        lengths = LONG if options.full else SHORT
        measures = await _measures(server, lengths, citizens, options)
        if broker is not None:
            measures = {**measures, **await _broker_measures(server, broker, lengths, citizens)}
    results = Results()
    for number in range(options.rounds):
        for key, measure in measures.items():
            if key in options.keys:
                with console.status(f"round {number + 1} of {options.rounds}: {key} {ROWS[key].what}"):
                    await _round(key, measure, results, options, console)
    report.show(results, console, settings, f"load before it {load:.1f}; {options.load:,} lots beforehand")
    if options.full:
        with console.status("verify"):
            console.print(f"{await prove(server.hub_url):,} transfers verified")
    return results


async def _round(key: str, measure: Measure, results: Results, options: argparse.Namespace, console: Console) -> None:
    """One more of a row; where it cannot be measured here, it is left from now on."""
    try:
        results.add(key, await measure())
    except NotMeasuredError as error:
        console.print(f"{key} not measured: {error}", markup=False)
        options.keys.discard(key)


async def _measures(
    server: Server, lengths: Lengths, citizens: int, options: argparse.Namespace
) -> Mapping[str, Measure]:
    """In the order of a round; Y2 needs the transfers of P1, P8 the lots that P5's load would have used up."""
    pgbench = Pgbench(server, lengths.pgbench_s)
    plain = PlainEntries(server, lengths.plain_s)
    if options.keys & NEED_PGBENCH:
        await pgbench.prepare()
    if "Y5" in options.keys:
        await plain.prepare()
    posting = {
        scenario: Posting(server, citizens, lengths.warm_up_s, lengths.posting_s, CONNECTIONS, scenario).measure
        for scenario in Scenario
    }
    return {
        "Y1": pgbench.measure,
        "P1": posting[Scenario.spread],
        "P4": posting[Scenario.one_partner_one_store],
        "Y2": RawCopy(server).measure,
        "P2": EndToEnd(server, citizens, lengths.end_to_end_s, AT_ONCE, SIZES).measure,
        "Y5": plain.measure,
        "world_to_any": posting[Scenario.world_to_any],
        "world_to_bank": posting[Scenario.world_to_bank],
        "any_to_bank": posting[Scenario.any_to_bank],
        "single_hot_account": posting[Scenario.single_hot_account],
        "zipf": Zipf(server, citizens, lengths.posting_s, CONNECTIONS).measure,
        "hundred_point_lots": HundredPointLots(server).measure,
        "P8": Expiry(server, citizens, lengths.posting_s, CONNECTIONS).measure,
        "P5": Growth(server, citizens, options.transfers, posting[Scenario.spread], CONNECTIONS).measure,
        "P9": Pages(server, lengths.pages_s).measure,
        "P7": Files(server, citizens, options.rows).measure,
        "P10": Mails(server, options.notices).measure,
        "P11": Start().measure,
        "checkout": Checkout(server, pgbench, citizens, lengths.checkout_s).measure,
    }


async def _broker_measures(server: Server, broker: Broker, lengths: Lengths, citizens: int) -> Mapping[str, Measure]:
    ordinary = Ordinary(server, broker, lengths.ordinary_s)
    await ordinary.prepare()
    settings = {"transport": "rabbitmq", "amqp_url": broker.url()}
    return {
        "Y3": ordinary.measure,
        "Y4": BrokerCeiling(broker, lengths.ceiling_s).measure,
        "P3": EndToEnd(server, citizens, lengths.end_to_end_s, AT_ONCE, SIZES, APART, settings).measure,
    }


if __name__ == "__main__":
    sys.exit(main())
