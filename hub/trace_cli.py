"""`mykey-hub trace …`: one request's waterfall in a terminal."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub import logs, loop, printing, serving
from hub.clock import JAPAN, SystemClock
from hub.database import Database
from hub.keys import Keys
from hub.sealing import PURPOSE
from hub.settings import Settings, read_settings
from hub.versions import current_type
from hub.waterfall import Hop, Step, Waterfall, waterfall

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse gives it no other name

CONNECTIONS: Final = 1
ROWS_LIMIT: Final = 100
"""How many messages are drawn where nothing else is asked for."""
BARS: Final = ((150, 36), (100, 20))
"""At least so wide a terminal has so wide a bar; a narrower one has none."""
REASON_CHARACTERS: Final = 100
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0

LEGEND: Final = (
    "░ waiting  █ in work  ▒ either  ≈ until the receiver said what follows, a little before its commit"
    "  ✓ done, when is not kept"
)
_STYLES: Final = {
    "done": "green",
    "due": "yellow",
    "scheduled": "yellow",
    "held": "yellow",
    "parked": "red",
    "replaced": "dim",
}


class Line(NamedTuple):
    """A line of the picture: a message and one of its receivers, if it has any; `first`: the message's own line."""

    step: Step
    hop: Hop | None
    first: bool


def add_parser(subparsers: "SubParsers") -> None:
    """Add `trace`; it sets `run` to what takes the options and returns the status."""
    parser = subparsers.add_parser("trace", help="what came of one request: who said what, who waits, what is parked")
    parser.add_argument("what", help="a trace, request, message or correlation id, or a key such as a transfer's id")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--limit", type=int, default=ROWS_LIMIT, metavar="N", help="draw at most so many messages")
    parser.set_defaults(run=_start)


def _start(options: argparse.Namespace) -> int:
    settings = read_settings()
    logs.configure(settings.log_level)
    return loop.run(run(options, settings))


async def run(options: argparse.Namespace, settings: Settings) -> int:
    """Find and print it, in the database of the settings; 0, or an error of hub.errors."""
    async with serving.migrated(settings) as url:
        database = Database("hub", url, CONNECTIONS, SystemClock(), Keys(settings.key()).sealer(PURPOSE))
        await database.open()
        try:
            found = await waterfall(database, options.what)
        finally:
            await database.close()
    if options.json:
        sys.stdout.write(f"{found.model_dump_json()}\n")
    else:
        draw(found, printing.console(), options.limit, datetime.now(UTC))
    return 0


def draw(found: Waterfall, console: Console, limit: int, now: datetime) -> None:
    """Print it; `now` is where what still waits ends."""
    shown = found.steps[:limit]
    scale = _Scale(found, now, next((bar for width, bar in BARS if console.width >= width), 0))
    console.print(_heading(found))
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("said at", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("from → to", no_wrap=True)
    if scale.width:
        table.add_column(scale.title, no_wrap=True, width=scale.width)
    table.add_column("how it stands", min_width=16)
    for step, hop, first in _lines(shown):
        said = (in_words(step.said_at - found.began_at), _what(step)) if first else ("", "")
        bar = (scale.bar(step, hop),) if scale.width else ()
        table.add_row(*said, _from_to(step, hop, first=first), *bar, _standing(step, hop, now))
    console.print(table)
    console.print()
    if len(shown) < len(found.steps) or found.is_cut:
        more = f"{len(found.steps) - len(shown)} more" if not found.is_cut else "more"
        console.print(f"… and {more} messages (--limit)", style="dim")
    console.print(LEGEND, style="dim")
    for other in found.others:
        console.print(f"The same key is also in trace {other}")


def _from_to(step: Step, hop: Hop | None, *, first: bool) -> str:
    said_by = step.source if first else " " * len(step.source)
    return f"{said_by} → {hop.receiver}" if hop else said_by


def _heading(found: Waterfall) -> Text:
    began = found.began_at.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    by = {
        "message": f"begun by a message of {found.steps[0].source}",
        "request": f"begun by a request or a call; request_id {found.correlation_id} in the log",
        "caller": "a caller's own trace; its first message here",
    }[found.begun_by]
    hops = [hop for step in found.steps for hop in step.hops]
    text = Text.assemble(("trace ", "bold"), (found.trace_id, "bold cyan"), f"\n{began} in Japan, {by}\n")
    if found.subject is not None:
        text.append(f"too many messages for one picture: only those about {found.subject}\n", "yellow")
    text.append(f"{len(found.steps)} messages, ")
    counts = {state: sum(hop.state == state for hop in hops) for state in ("due", "scheduled", "held", "parked")}
    open_ones = [f"{count} {state}" for state, count in counts.items() if count]
    text.append(", ".join(open_ones) or "all of it is done", "red" if counts["parked"] else None)
    ended = max((hop.done_at for hop in hops if hop.done_at), default=None)
    if not open_ones and ended is not None:
        text.append(f"; the last that is known of after {in_words(ended - found.began_at)}")
    return text


def _lines(steps: list[Step]) -> Iterator[Line]:
    for step in steps:
        for number, hop in enumerate(step.hops or [None]):
            yield Line(step, hop, number == 0)


def _what(step: Step) -> Text:
    """The message's name as the glossary has it, under what caused it."""
    message_type = current_type(step.type)
    text = Text(f"{'  ' * (step.depth - 1)}└ " if step.depth else "", "dim")
    text.append(message_type.__name__ if message_type is not None else step.type, "bold")
    if step.business_key:
        text.append(f" {step.business_key}", "dim")
    return text


def _standing(step: Step, hop: Hop | None, now: datetime) -> Text:
    if hop is None:
        return Text("nobody hears it", "dim")
    return Text(_done(step, hop) if hop.state == "done" else _not_done(step, hop, now), _STYLES[hop.state])


def _done(step: Step, hop: Hop) -> str:
    if hop.done_at is None:
        return "✓"
    after = in_words(hop.done_at - step.said_at)
    if hop.took_s is None:
        return f"≈ {after}"
    return f"done after {after}, in work for {in_words(timedelta(seconds=hop.took_s))}"


def _not_done(step: Step, hop: Hop, now: datetime) -> str:
    told = f": {hop.reason[:REASON_CHARACTERS]}" if hop.reason else ""
    tries = f"{hop.attempts} {'try' if hop.attempts == 1 else 'tries'}"
    if hop.state == "parked":
        note = f" — {hop.note}" if hop.note else ""
        return f"parked after {tries}, delivery {hop.delivery_id}{told}{note}"
    if hop.state == "replaced":
        return "an edited copy went there instead"
    if hop.state == "held":
        return f"held until {hop.destination} is back, for {in_words(now - step.said_at)} now{told}"
    if hop.due_at is not None:
        at = hop.due_at.astimezone(JAPAN).strftime("%m-%d %H:%M:%S")
        return f"{tries}, the next at {at}{told}"
    return f"waiting for {in_words(now - step.said_at)}{told}"


class _Scale:
    """Where an instant is on the bar."""

    def __init__(self, found: Waterfall, now: datetime, width: int) -> None:
        self.width = width
        self._from = found.began_at
        hops = [hop for step in found.steps for hop in step.hops]
        known = [hop.done_at for hop in hops if hop.done_at] + [step.said_at for step in found.steps]
        self._to = max(known, default=self._from)
        if any(hop.state != "done" for hop in hops):
            # What waits may wait for days: it is drawn to the edge, a little beyond what is known.
            self._to = min(now, self._to + (self._to - self._from) / 4 + timedelta(milliseconds=10))
        self._to = max(self._to, self._from + timedelta(milliseconds=1))
        end = in_words(self._to - self._from)
        self.title = f"0{end:>{max(0, width - 1)}}"

    def bar(self, step: Step, hop: Hop | None) -> Text:
        """Waiting and work, as far as the store knows."""
        first = self._place(step.said_at)
        text = Text(" " * first)
        if hop is None or (hop.state == "done" and hop.done_at is None):
            return text.append("▏", "dim")
        style = _STYLES[hop.state]
        if hop.state != "done" or hop.done_at is None:
            return text.append("░" * (self.width - first - 1) + ("✖" if hop.state == "parked" else "▶"), style)
        last = self._place(hop.done_at)
        if hop.took_s is None:
            return text.append("▒" * (last - first + 1), style)
        begun = max(first, self._place(hop.done_at - timedelta(seconds=hop.took_s)))
        return text.append("░" * (begun - first) + "█" * (last - begun + 1), style)

    def _place(self, instant: datetime) -> int:
        part = (instant - self._from) / (self._to - self._from)
        return max(0, min(self.width - 1, int(part * self.width)))


def in_words(length: timedelta) -> str:
    """A length of time for people: 38 ms, 1.24 s, 5 min 3 s, 2 h 10 min, 3 d 4 h."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.2f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S / _MINUTE_S:.0f} min"
    return f"{seconds // _DAY_S:.0f} d {seconds % _DAY_S / _HOUR_S:.0f} h"
