"""The route table as a picture: what is said on the left, by subject; who hears it on the right. Plain SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from hub.routes import ROUTES, Route, kind_of
from schemas.message import Message

WIDTH_PX: Final = 1060
MARGIN_PX: Final = 24
LEFT_WIDTH_PX: Final = 380
RIGHT_X_PX: Final = 800
RIGHT_WIDTH_PX: Final = WIDTH_PX - RIGHT_X_PX - MARGIN_PX
LINE_PX: Final = 19
GROUP_GAP_PX: Final = 8
CHARACTER_PX: Final = 6.6
SUBJECT_GAP_PX: Final = 18
HEADER_PX: Final = 28
TOP_PX: Final = 92
RECEIVER_PX: Final = 56
RECEIVER_GAP_PX: Final = 40
ARROW_PX: Final = 8

COLOURS: Final = {"command": "#1f5fa8", "query": "#3a7d44", "event": "#b3541e"}
NOBODY: Final = "#8a8f98"
MEANINGS: Final = {
    "command": "command: exactly one does it",
    "query": "query: exactly one answers",
    "event": "event: whoever wants to know",
}
STYLE: Final = """
text { font-family: "DejaVu Sans", "Noto Sans", Arial, sans-serif; font-size: 13px; fill: #20242b }
.title { font-size: 20px; font-weight: bold }
.heading { font-weight: bold; fill: #ffffff }
.small { font-size: 12px; fill: #4a505a }
.box { fill: #ffffff; stroke: #c9ced6 }
.bar { fill: #39414d }
path { fill: none; stroke-width: 1.6 }
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Message types of one subject that are of one kind and take one way."""

    subject: str
    kind: str
    route: Route
    names: tuple[str, ...]
    y: int
    """The top of its first line."""

    @property
    def middle(self) -> int:
        """Where its lines begin."""
        return self.y + len(self.names) * LINE_PX // 2

    @property
    def colour(self) -> str:
        """By kind; grey where nobody listens."""
        return COLOURS[self.kind] if self.route.receivers else NOBODY


def svg() -> str:
    """The picture of the route table as it stands; the same table gives the same picture."""
    groups, bottom = _placed()
    receivers = _receivers(groups)
    height = max(bottom, max(receivers.values()) + RECEIVER_PX) + MARGIN_PX
    drawn = [*_head(), *_lines(groups, receivers), *_subjects(groups), *_names(groups), *_boxes(groups, receivers)]
    size = f'width="{WIDTH_PX}" height="{height}" viewBox="0 0 {WIDTH_PX} {height}"'
    title = '<title id="title">MyKey Hub: who hears what</title>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
            title,
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH_PX}" height="{height}" fill="#f6f7f9"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _way(message_type: type[Message]) -> tuple[str, str, tuple[str, ...]]:
    route = ROUTES[message_type]
    return _subject(message_type), kind_of(message_type), route.delivered_to()


def _subject(message_type: type[Message]) -> str:
    return message_type.__module__.rpartition(".")[2].replace("_", " ")


def _placed() -> tuple[list[Group], int]:
    """Every group with its place, from the top; and where the last one ends."""
    groups: list[Group] = []
    y = TOP_PX
    for subject, of_subject in groupby(sorted(ROUTES, key=_way), key=_subject):
        y += HEADER_PX + GROUP_GAP_PX
        for (_, kind, _), members in groupby(of_subject, key=_way):
            types = list(members)
            names = tuple(sorted(one.__name__ for one in types))
            groups.append(Group(subject, kind, ROUTES[types[0]], names, y))
            y += len(names) * LINE_PX + GROUP_GAP_PX
        y += SUBJECT_GAP_PX
    return groups, y


def _receivers(groups: Sequence[Group]) -> dict[str, int]:
    """Receiver → the top of its box: as near as may be to what it hears, without touching another."""
    heard: dict[str, list[int]] = {}
    for group in groups:
        for receiver in group.route.receivers:
            heard.setdefault(receiver, []).append(group.middle)
    wishes = sorted((sum(middles) // len(middles) - RECEIVER_PX // 2, name) for name, middles in heard.items())
    tops: dict[str, int] = {}
    lowest = TOP_PX
    for wish, name in wishes:
        tops[name] = max(wish, lowest)
        lowest = tops[name] + RECEIVER_PX + RECEIVER_GAP_PX
    return tops


def _head() -> Iterator[str]:
    yield f'<text class="title" x="{MARGIN_PX}" y="38">MyKey Hub: who hears what</text>'
    x = MARGIN_PX
    for kind, meaning in MEANINGS.items():
        yield f'<rect x="{x}" y="57" width="12" height="12" rx="2" fill="{COLOURS[kind]}"/>'
        yield f'<text class="small" x="{x + 18}" y="68">{meaning}</text>'
        x += 36 + round(len(meaning) * CHARACTER_PX)
    yield f'<path d="M{x} 63 h26" stroke="#4a505a" stroke-dasharray="5 4"/>'
    yield f'<text class="small" x="{x + 34}" y="68">done outside a transaction, tried for about a day</text>'


def _subjects(groups: Sequence[Group]) -> Iterator[str]:
    for subject, members in groupby(groups, key=lambda group: group.subject):
        of_subject = list(members)
        top = of_subject[0].y - HEADER_PX - GROUP_GAP_PX
        height = of_subject[-1].y + len(of_subject[-1].names) * LINE_PX + GROUP_GAP_PX - top
        place = f'x="{MARGIN_PX}" y="{top}" width="{LEFT_WIDTH_PX}"'
        yield f'<rect class="box" {place} height="{height}" rx="5"/>'
        yield f'<rect class="bar" {place} height="{HEADER_PX}" rx="5"/>'
        yield f'<text class="heading" x="{MARGIN_PX + 12}" y="{top + 19}">{escape(subject)}</text>'


def _names(groups: Sequence[Group]) -> Iterator[str]:
    for group in groups:
        height = len(group.names) * LINE_PX
        place = f'x="{MARGIN_PX + 10}" y="{group.y}" width="4" height="{height}"'
        yield f'<rect {place} rx="2" fill="{COLOURS[group.kind]}"/>'
        for number, name in enumerate(group.names):
            y = group.y + number * LINE_PX + 14
            yield f'<text x="{MARGIN_PX + 24}" y="{y}">{escape(name)}</text>'
        if not group.route.receivers:
            x = MARGIN_PX + LEFT_WIDTH_PX - 12
            yield f'<text class="small" x="{x}" y="{group.middle + 4}" text-anchor="end">nobody yet</text>'


def _lines(groups: Sequence[Group], receivers: dict[str, int]) -> Iterator[str]:
    """From each group to each of its receivers; the lines of a receiver arrive one below the other."""
    arriving = {name: [group for group in groups if name in group.route.receivers] for name in receivers}
    start = MARGIN_PX + LEFT_WIDTH_PX
    for name, top in receivers.items():
        step = RECEIVER_PX / (len(arriving[name]) + 1)
        for number, group in enumerate(arriving[name], start=1):
            end_y = round(top + step * number, 1)
            bend = (RIGHT_X_PX - start) // 2
            dashes = ' stroke-dasharray="5 4"' if group.route.outside else ""
            tip = RIGHT_X_PX - ARROW_PX
            curve = f"M{start} {group.middle} C{start + bend} {group.middle} {tip - bend} {end_y} {tip} {end_y}"
            yield f'<path d="{curve}" stroke="{group.colour}"{dashes}/>'
            corners = f"{RIGHT_X_PX},{end_y} {tip},{end_y - 4} {tip},{end_y + 4}"
            yield f'<polygon points="{corners}" fill="{group.colour}"/>'


def _boxes(groups: Sequence[Group], receivers: dict[str, int]) -> Iterator[str]:
    for name, top in receivers.items():
        heard = [group for group in groups if name in group.route.receivers]
        told = ", ".join(
            f"{count} {kind if count == 1 else _plural(kind)}"
            for kind in COLOURS
            if (count := sum(len(group.names) for group in heard if group.kind == kind))
        )
        place = f'x="{RIGHT_X_PX}" y="{top}" width="{RIGHT_WIDTH_PX}" height="{RECEIVER_PX}"'
        yield f'<rect class="bar" {place} rx="6"/>'
        yield f'<text class="heading" x="{RIGHT_X_PX + 14}" y="{top + 24}">{escape(name)}</text>'
        yield (
            f'<text x="{RIGHT_X_PX + 14}" y="{top + 43}" style="fill: #dfe3e8; font-size: 12px">{escape(told)}</text>'
        )


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
