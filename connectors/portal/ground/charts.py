"""Small charts made on the server, as SVG: no script, no network, readable by everybody.

A chart never stands alone: its table is beside it (`part.table`), and its text alternative says the same in a sentence.
Colours come from the style sheet's classes, so that forced colours and printing work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

WIDTH: Final = 360
"""In CSS pixels on a phone; wider screens show it a little larger."""
ROW_HEIGHT: Final = 36
LABEL_WIDTH: Final = 120
VALUE_WIDTH: Final = 84
BAR_HEIGHT: Final = 20
ROWS_LIMIT: Final = 40
LABEL_CHARACTERS: Final = 8
"""What fits beside a bar in full-width letters; the table has the whole name."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a chart: what, how many."""

    label: str
    value: int


def bars(title: str, rows: Sequence[Bar]) -> Markup:
    """A chart of lying bars, longest value full width; `title` is its text alternative.

    At most 40 rows; negative values count as nothing.
    """
    shown = rows[:ROWS_LIMIT]
    largest = max((row.value for row in shown), default=0)
    lines = Markup().join(_bar(index, row, largest) for index, row in enumerate(shown))
    height = ROW_HEIGHT * len(shown)
    return Markup(
        '<svg class="mk-chart" role="img" aria-label="{}" viewBox="0 0 {} {}" xmlns="http://www.w3.org/2000/svg">{}</svg>'
    ).format(title, WIDTH, height, lines)


def _bar(index: int, row: Bar, largest: int) -> Markup:
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    length = round(room * max(row.value, 0) / largest) if largest > 0 else 0
    top = ROW_HEIGHT * index
    middle = top + ROW_HEIGHT // 2
    return Markup(
        '<text class="mk-chart__label" x="{}" y="{}" text-anchor="end" dominant-baseline="central">{}</text>'
        '<rect class="mk-chart__bar" x="{}" y="{}" width="{}" height="{}" rx="2"/>'
        '<text class="mk-chart__value" x="{}" y="{}" dominant-baseline="central">{}</text>'
    ).format(
        LABEL_WIDTH - 8,
        middle,
        _shortened(row.label),
        LABEL_WIDTH,
        top + (ROW_HEIGHT - BAR_HEIGHT) // 2,
        length,
        BAR_HEIGHT,
        LABEL_WIDTH + length + 8,
        middle,
        f"{row.value:,}",
    )


def _shortened(label: str) -> str:
    return label if len(label) <= LABEL_CHARACTERS else label[: LABEL_CHARACTERS - 1] + "…"
