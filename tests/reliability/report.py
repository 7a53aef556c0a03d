"""What a session came to, in `.reliability/latest.json`: faults, lost, doubled, violations, seeds, commit."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.reliability.checker import Violation
from tests.reliability.history import History
from tests.reliability.sizes import MODE

ROOT: Final = Path(__file__).parents[2]
PATH: Final = ROOT / ".reliability" / "latest.json"
LOST: Final = re.compile(r"has no outcome|\b(heard|said|sent) 0 times|left behind")
DOUBLED: Final = re.compile(r"two outcomes|\b(done|heard|said) ([2-9]|\d\d+) times|is there twice")


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as reported."""

    layer: str
    seed: int
    faults: dict[str, int]
    asked: int
    drain_s: float
    lost: int
    doubled: int
    violations: list[str]


@dataclass(slots=True)
class Report:
    """All runs of a session: those of the test that is under way here, and those of all tests, wherever they ran."""

    runs: list[Run] = field(default_factory=list)
    gathered: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, layer: str, seed: int, faults: Iterable[str], history: History, violations: Iterable[Violation]
    ) -> None:
        """Keep what one run came to."""
        told = [f"{one.invariant}: {one.what}" for one in violations]
        lost, doubled = (sum(bool(words.search(one)) for one in told) for words in (LOST, DOUBLED))
        drain_s = round(history.heal_to_drained_s, 3)
        counted = dict(sorted(Counter(faults).items()))
        self.runs.append(Run(layer, seed, counted, len(history.asked), drain_s, lost, doubled, told))

    def take(self) -> list[dict[str, Any]]:
        """The runs of a test that has ended, as they go from process to process."""
        taken, self.runs = [asdict(run) for run in self.runs], []
        return taken

    def gather(self, taken: Iterable[dict[str, Any]]) -> None:
        """The runs of a test, taken here or in another process."""
        self.gathered.extend(taken)

    def write(self) -> None:
        """To PATH, where there is anything to say."""
        runs = [Run(**one) for one in self.gathered]
        if not runs:
            return
        faults: Counter[str] = Counter()
        for run in runs:
            faults.update(run.faults)
        summary = {
            "commit": commit(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "mode": MODE,
            "faults": dict(sorted(faults.items())),
            "lost": sum(run.lost for run in runs),
            "doubled": sum(run.doubled for run in runs),
            "violations": sum(len(run.violations) for run in runs),
            "longest_drain_s": max(run.drain_s for run in runs),
            "seeds": sorted({run.seed for run in runs}),
            "runs": [asdict(run) for run in runs],
        }
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


REPORT: Final = Report()
"""This session's."""


def commit() -> str:
    """The commit under test."""
    command = ("git", "rev-parse", "--short", "HEAD")
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip()
