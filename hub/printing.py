"""What commands print: consoles, and tables out of which ids can be copied."""

import os
from collections.abc import Collection, Iterator
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

UNLIMITED: Final = 100_000
"""Columns of what is no terminal: nothing is broken or cut for a pipe or a file."""
NARROWEST: Final = 10
"""What may be folded is not folded narrower than this: a date, a figure, and most headings."""


def console(*, quiet: bool = False, markup: bool = False) -> Console:
    """Standard output, as wide as the terminal, or as `COLUMNS` says; without either as wide as need be.

    `markup`: what is printed is all our own, in colours; else it may be what others say, and is shown as it is.
    """
    made = Console(quiet=quiet, markup=markup, highlight=markup)
    if not (made.file.isatty() or os.environ.get("COLUMNS")):
        made.width = UNLIMITED
    return made


class Listing:
    """Rows under headings; those in `whole` (ids, names) are never broken or cut, the others fold.

    Where not even that fits, it is a block of lines for each row.
    """

    def __init__(
        self,
        *headings: str,
        whole: Collection[str] = (),
        right: Collection[str] = (),
        narrowest: int = NARROWEST,
        gap: int = 2,
    ) -> None:
        """`right`: what stands at the right edge, such as numbers; `gap`: blanks between columns, 1 or 2.

        `narrowest`: down to where a heading may be broken, for many columns of short values.
        """
        self._headings = headings
        self._whole = [heading in whole for heading in headings]
        self._right = [heading in right for heading in headings]
        self._narrowest = narrowest
        self._gap = gap
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        """One cell for each heading."""
        self._rows.append([Text(cell) if isinstance(cell, str) else cell for cell in cells])

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """For rich: how it looks in that width."""
        widths = self._widths(options.max_width)
        if widths is None:
            yield from self._blocks()
        else:
            yield self._table(widths)

    def _widths(self, limit: int) -> list[int] | None:
        """Of each column, as wide as it would be as far as there is room; None where not even the least fits."""
        natural, least = self._natural_and_least()
        spare = limit - self._gap * (len(least) - 1) - sum(least)
        if spare < 0:
            return None
        lacks = [wanted - given for wanted, given in zip(natural, least, strict=True)]
        while spare > 0 and any(lacks):
            lacks[lacks.index(max(lacks))] -= 1
            spare -= 1
        return [wanted - lack for wanted, lack in zip(natural, lacks, strict=True)]

    def _natural_and_least(self) -> tuple[list[int], list[int]]:
        natural, least = [], []
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(self._headings)
        for heading, whole, cells in zip(self._headings, self._whole, columns, strict=True):
            wanted = max(_width(cell) for cell in (Text(heading), *cells))
            word = max((cell_len(word) for cell in cells for word in cell.plain.split()), default=0)
            natural.append(wanted)
            least.append(wanted if whole else min(wanted, max(self._narrowest, min(word, NARROWEST))))
        return natural, least

    def _table(self, widths: list[int]) -> Table:
        padding = (0, self._gap - 1, 0, 0)  # the box itself brings one blank
        made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding, header_style="bold")
        for heading, whole, right, width in zip(self._headings, self._whole, self._right, widths, strict=True):
            made.add_column(
                Text(heading),
                justify="right" if right else "left",
                no_wrap=whole,
                width=width,
                overflow="fold",
            )
        for row in self._rows:
            made.add_row(*row)
        return made

    def _blocks(self) -> Iterator[Table | Text]:
        for number, row in enumerate(self._rows):
            if number:
                yield Text()
            made = Table.grid(padding=(0, 2, 0, 0))
            made.add_column(style="dim", no_wrap=True)
            made.add_column(overflow="fold")
            for heading, cell in zip(self._headings, row, strict=True):
                if cell.plain:
                    made.add_row(Text(" ".join(heading.split())), cell)
            yield made


def _width(text: Text) -> int:
    return max(map(cell_len, text.plain.splitlines()), default=0)
