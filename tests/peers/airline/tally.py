"""What came of the transfers, as the airline counts it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Outcomes counted over batches and files together.

    What is told as replayed after the airline had to ask again, and was never answered before, is a transfer
    whose answer was lost on the way: it was posted, and counts as that.
    """

    posted: int = 0
    points: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    _answered: set[str] = field(default_factory=set)

    @property
    def rows(self) -> int:
        """How many rows have ended."""
        return self.posted + self.replayed + self.refused.total()

    def add(self, results: Iterable[dict[str, Any]], *, asked_again: bool) -> None:
        """Count results, in order; `asked_again` where an answer may have been lost."""
        for result in results:
            if result["status"] == "refused":
                self.refused[result["code"]] += 1
            elif result["replayed"] and (not asked_again or result["transfer_id"] in self._answered):
                self.replayed += 1
            else:
                self.posted += 1
                self.points += result["points"]
            self._answered.add(result["transfer_id"])

    def report(self) -> dict[str, Any]:
        """The counts, for machines."""
        return {
            "rows": self.rows,
            "posted": self.posted,
            "points": self.points,
            "replayed": self.replayed,
            "refused": dict(sorted(self.refused.items())),
        }
