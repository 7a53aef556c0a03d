"""`mykey-hub verify`: adds the whole ledger up again and follows its chain; names the first bad row."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.progress import Progress

from hub import logs, loop
from hub.clock import SystemClock
from hub.errors import HubError
from hub.installed import installed
from hub.serving import database, serving
from hub.settings import Settings
from schemas.audit import VerifyLedger, VerifyReport
from schemas.values import LANES

PARTITION_DEADLINE_S: Final = 3600.0


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 when everything adds up, 1 when something does not."""
    parser = argparse.ArgumentParser(prog="mykey-hub verify", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a report per partition, as JSON lines")
    options = parser.parse_args(arguments)
    settings = Settings()
    logs.configure("warning")
    try:
        reports = loop.run(_verify(settings, quiet=options.json))
    except HubError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    if options.json:
        sys.stdout.writelines(f"{report.model_dump_json()}\n" for report in reports)
    else:
        _show(reports)
    return 0 if all(report.fault is None for report in reports) else 1


async def _verify(settings: Settings, *, quiet: bool) -> list[VerifyReport]:
    reports: list[VerifyReport] = []
    async with (
        database(settings) as url,
        serving(settings, SystemClock(), installed(["ledger"]), url, public=False) as served,
    ):
        with Progress(disable=quiet, transient=True) as progress:
            task = progress.add_task("verify", total=LANES)
            for partition in range(LANES):
                query = VerifyLedger(partition=partition)
                reports.append(await served.process.bus.call(query, PARTITION_DEADLINE_S))
                progress.advance(task)
    return reports


def _show(reports: Sequence[VerifyReport]) -> None:
    console = Console()
    for report in reports:
        if report.fault is not None:
            fault = report.fault
            console.print(f"[bold red]partition {report.partition}[/]: {fault.table} {fault.key}: {fault.what}")
    transfers, accounts = sum(r.transfers for r in reports), sum(r.accounts for r in reports)
    blocks = sum(report.block for report in reports)
    console.print(f"{transfers:,} transfers, {accounts:,} accounts, {blocks:,} blocks looked at")
    if all(report.fault is None for report in reports):
        console.print("everything adds up")
