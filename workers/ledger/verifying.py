"""`mykey-hub verify`: adds the whole ledger up again and follows its chains; names the first bad row."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.progress import Progress, TaskID

from hub import logs, loop, printing
from hub.bus import Bus
from hub.clock import SystemClock
from hub.component import Installed
from hub.errors import HubError
from hub.serving import database, serving
from hub.settings import Settings, read_settings
from schemas.audit import (
    SLICE_BLOCKS,
    SLICE_LIMIT_BLOCKS,
    ChainSlice,
    Checkpoint,
    FollowChain,
    VerifyLedger,
    VerifyReport,
)
from schemas.values import LANES
from workers.ledger.checkpoints import signer_of
from workers.ledger.component import component
from workers.ledger.proof_files import ProvedChains, read_checkpoints

SLICE_DEADLINE_S: Final = 600.0
PARTITION_DEADLINE_S: Final = 4 * 3600.0


def main(arguments: Sequence[str]) -> int:
    """Add the whole ledger up again, and follow its chains.

    Exit status 0 when everything adds up, 1 when something does not.
    """
    options = _parser().parse_args(arguments)
    settings = read_settings()
    logs.configure("warning")
    try:
        if options.public_key:
            sys.stdout.write(signer_of(settings).verifier.pem)
            return 0
        checkpoints = read_checkpoints(options.checkpoints, signer_of(settings).verifier)
        state = _state_in(options.state)
        proof = Proof(checkpoints, state, options.state, options.slice_blocks)
        reports = loop.run(_verify(settings, proof, quiet=options.json))
    except HubError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        if str(error) != error.explanation():
            sys.stderr.write(f"{error.explanation()}\n")
        return 1
    if options.json:
        sys.stdout.writelines(f"{report.model_dump_json()}\n" for report in reports)
    else:
        _show(reports)
    return 0 if all(report.fault is None for report in reports) else 1


def _state_in(file: Path | None) -> ProvedChains:
    """What was proved before. That it can be kept is tried at once, not when an hour's work is to be."""
    if file is None:
        return ProvedChains()
    state = ProvedChains.read(file)
    state.write(file)
    return state


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mykey-hub verify", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a report per partition, as JSON lines")
    parser.add_argument(
        "--checkpoints", type=Path, nargs="+", default=[], metavar="FILE",
        help="signed checkpoints as they were mailed: saved mails, or texts with the JSON documents in them;"
        " the chains must pass through them",
    )  # fmt: skip
    parser.add_argument(
        "--state", type=Path, metavar="FILE",
        help="keep there how far each chain was proved, and go on from there; what lies before is not hashed again,"
        " sums and balances are added up whole",
    )  # fmt: skip
    parser.add_argument(
        "--slice-blocks", type=_slice_blocks, default=SLICE_BLOCKS, metavar="N",
        help=f"blocks followed from one snapshot, 1 to {SLICE_LIMIT_BLOCKS:,}; {SLICE_BLOCKS:,} unless said otherwise",
    )  # fmt: skip
    parser.add_argument("--public-key", action="store_true", help="print the key that checkpoints are signed with")
    return parser


def _slice_blocks(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= SLICE_LIMIT_BLOCKS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {SLICE_LIMIT_BLOCKS}, not {text!r}")
    return int(text)


@dataclass(slots=True)
class Proof:
    """A run of proofs: what it begins with, and how far it has come."""

    checkpoints: Mapping[int, tuple[Checkpoint, ...]]
    state: ProvedChains
    state_file: Path | None
    slice_blocks: int
    progress: Progress = field(default_factory=lambda: Progress(transient=True))

    async def partition(self, bus: Bus, partition: int, task: TaskID) -> VerifyReport:
        """Follow the chain slice by slice to the head that there was at first, then prove the rest and the sums."""
        slices: list[ChainSlice] = []
        after = self.state.of(partition)
        while not slices or (slices[-1].fault is None and slices[-1].block < slices[0].head):
            piece = FollowChain(partition=partition, after=after, blocks=self.slice_blocks)
            slices.append(await bus.call(piece, SLICE_DEADLINE_S))
            after = Checkpoint(block=slices[-1].block, hash=slices[-1].hash)
            self._proved(partition, after)
            self.progress.update(task, total=slices[0].head, completed=after.block)
        whole = VerifyLedger(partition=partition, checkpoints=self.checkpoints.get(partition, ()), after=after)
        report = await bus.call(whole, PARTITION_DEADLINE_S)
        if report.fault is None and slices[-1].fault is None:
            self._proved(partition, Checkpoint(block=report.block, hash=report.hash))
        return _added_up(report, slices)

    def _proved(self, partition: int, end: Checkpoint) -> None:
        self.state = self.state.with_end(partition, end)
        if self.state_file is not None:
            self.state.write(self.state_file)


def _added_up(report: VerifyReport, slices: Sequence[ChainSlice]) -> VerifyReport:
    return report.model_copy(
        update={
            "outcomes": report.outcomes + sum(one.outcomes for one in slices),
            "transfers": report.transfers + sum(one.transfers for one in slices),
            "fault": slices[-1].fault or report.fault,
        }
    )


async def _verify(settings: Settings, proof: Proof, *, quiet: bool) -> list[VerifyReport]:
    reports: list[VerifyReport] = []
    proof.progress.disable = quiet
    ledger = Installed("ledger", component).without_work()  # which would sign checkpoints of the books on the side
    async with (
        database(settings) as url,
        serving(settings, SystemClock(), [ledger], url, public=False) as served,
    ):
        with proof.progress:
            for partition in range(LANES):
                task = proof.progress.add_task(f"partition {partition}, blocks", total=None)
                reports.append(await proof.partition(served.process.bus, partition, task))
                proof.progress.remove_task(task)
    return reports


def _show(reports: Sequence[VerifyReport]) -> None:
    console = printing.console(markup=True)
    for report in reports:
        if report.fault is not None:
            fault = report.fault
            console.print(f"[bold red]partition {report.partition}[/]: {fault.table} {fault.key}: {fault.what}")
    transfers, accounts = sum(r.transfers for r in reports), sum(r.accounts for r in reports)
    blocks = sum(report.block for report in reports)
    console.print(f"{transfers:,} transfers, {accounts:,} accounts, {blocks:,} blocks looked at")
    if all(report.fault is None for report in reports):
        console.print("everything adds up")
