"""What is settled with each counterparty, and the details behind it as a CSV file (参考84, 86)."""

import csv
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, TextIO
from uuid import UUID

from hub.asking import DEADLINE_S, BadFileError, new_file
from hub.bus import Bus
from hub.spreadsheets import BOM, safe_cell
from schemas.settlement import PARTNER_KINDS, DetailLine, DetailPlace, DetailsOf, PlaceSummary, Summary, View

PAGE_LINES: Final = 1_000
PAGES_LIMIT: Final = 1_000_000
HEAD: Final = (
    *("取引日", "取引番号", "依頼番号", "区分", "訂正された区分"),
    *("自治体コード", "ポイントの種類", "相手先", "精算ポイント数"),
)
KINDS: Final[Mapping[str, str]] = {
    "credit": "ポイントの移行",
    "coupon": "クーポンコードの利用",
    "move": "留保ポイントからの移行",
    "sweep": "留保期間の終了による自動移行",
    "use": "窓口での利用",
    "use_together": "窓口での利用",
    "voucher_redeem": "ポイント券の消込",
    "capture": "オンラインでの支払い",
    "refund": "返金",
    "merge_acknowledge": "商店街ポイントへの合算",
    "correct": "訂正",
}


@dataclass(slots=True)
class Tally:
    """What passed with one counterparty, and what of it was taken back; `points` remain to be settled."""

    transactions: int = 0
    used: int = 0
    returns: int = 0
    returned: int = 0

    @property
    def points(self) -> int:
        """Less what was taken back."""
        return self.used - self.returned

    def add(self, direction: int, transactions: int, points: int) -> None:
        """One line, of a summary or of the details."""
        if direction > 0:
            self.transactions += transactions
            self.used += points
        else:
            self.returns += transactions
            self.returned += points


Tallies = dict[UUID, Tally]


def of_partners(summary: Summary) -> Tallies:
    """A municipality's side towards partners."""
    found: Tallies = defaultdict(Tally)
    for line in summary.lines:
        if line.direction and (line.reverses or line.kind) in PARTNER_KINDS:
            found[line.counterparty_id].add(line.direction, line.transactions, line.points)
    return found


def of_places(summary: PlaceSummary) -> Tallies:
    """Its side towards places."""
    return {one.place_id: Tally(one.transactions, one.used, one.returns, one.returned) for one in summary.places}


def total(tallies: Iterable[Tally]) -> Tally:
    """Of all."""
    found = Tally()
    for one in tallies:
        found.add(1, one.transactions, one.used)
        found.add(-1, one.returns, one.returned)
    return found


async def download(bus: Bus, view: View, first: date, last: date, path: Path) -> Tallies:
    """All details of the period into a new file, page by page; gives what they add up to.

    The file is gone again where it could not be finished. Raises BadFileError, and why nobody answered.
    """
    found: Tallies = defaultdict(Tally)
    with _new_list(path) as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        async for lines in _pages(bus, view, first, last):
            writer.writerows(map(_cells, lines))
            for line in lines:
                found[line.counterparty_id].add(line.direction, 1, line.points)
    return found


@contextmanager
def _new_list(path: Path) -> Iterator[TextIO]:
    try:
        with new_file(path) as file, ExitStack() as undone:
            undone.callback(path.unlink)
            file.write(BOM)
            yield file
            file.flush()
            undone.pop_all()
    except OSError as error:
        raise BadFileError(f"{path}: {error}") from error


async def _pages(bus: Bus, view: View, first: date, last: date) -> AsyncIterator[list[DetailLine]]:
    after: DetailPlace | None = None
    for _ in range(PAGES_LIMIT):
        asked = DetailsOf(view=view, first=first, last=last, after=after, limit=PAGE_LINES)
        page = await bus.call(asked, DEADLINE_S)
        yield page.lines
        after = page.after
        if after is None:
            return
    raise BadFileError(f"the period has more than {PAGES_LIMIT} pages: ask for a shorter one")


def _cells(line: DetailLine) -> tuple[str | int, ...]:
    return (
        line.day.isoformat(),
        line.transaction_id,
        safe_cell(line.command_id or ""),
        KINDS.get(line.kind, line.kind),
        KINDS.get(line.reverses, line.reverses) if line.reverses else "",
        line.lg_code or "",
        line.pool,
        str(line.counterparty_id),
        line.points * line.direction,
    )
