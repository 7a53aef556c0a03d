"""The live screen: what flows, who is down, what is parked, what colleagues did last; looked at anew every second."""

import asyncio
from datetime import datetime
from typing import Final, NamedTuple

from rich.console import Console, RenderableType
from rich.console import Group as Lines
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from connectors.operations.acts import Act
from connectors.operations.desk import Desk
from connectors.operations.shapes import Flow, Group
from connectors.operations.tables import WARN, acts_table, clock, flow_table, outages_table, parked_table, pauses
from hub.database import UNREACHABLE
from hub.errors import HubError
from hub.outages import Outage

EVERY_S: Final = 1.0
OUTAGES_LIMIT: Final = 100
OUTAGES_SHOWN: Final = 8
GROUPS_SHOWN: Final = 8
ACTS_SHOWN: Final = 5


class Seen(NamedTuple):
    """One look."""

    flow: Flow
    outages: list[Outage]
    parked: list[Group]
    acts: list[Act]


async def look(desk: Desk) -> Seen:
    """Once."""
    is_open = [one for one in await desk.outages(OUTAGES_LIMIT) if one.ended_at is None]
    return Seen(await desk.flow(), is_open, await desk.parked(), await desk.acts(None, ACTS_SHOWN))


async def watch(desk: Desk, console: Console) -> None:
    """Until it is interrupted. While the hub does not answer, what was seen last stays, and says so."""
    seen = await look(desk)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            trouble = ""
            try:
                seen = await look(desk)
            except (HubError, *UNREACHABLE) as error:
                trouble = f"{type(error).__name__}: {error}"
            live.update(drawn(seen, desk.place, trouble), refresh=True)
            await asyncio.sleep(EVERY_S)


def drawn(seen: Seen, place: str, trouble: str = "") -> RenderableType:
    """The screen. A further panel is a further pair of title and table."""
    panels: list[tuple[str, RenderableType]] = [
        ("Flow", flow_table(seen.flow)),
        ("Parked", parked_table(seen.parked, GROUPS_SHOWN)),
        ("Last acts", acts_table(seen.acts)),
    ]
    if seen.outages:
        panels.insert(1, ("Outages", outages_table(seen.outages, OUTAGES_SHOWN)))
    paused = pauses(seen.flow)
    if paused is not None:
        panels.insert(0, ("Paused", paused))
    lines: list[RenderableType] = [_head(seen.flow.at, place)]
    if trouble:
        lines.append(Text(f" No answer since then. {trouble}", "bold white on red"))
    for title, panel in panels:
        lines += [Rule(Text(title, "bold"), align="left", style="dim"), Padding(panel, (0, 1))]
    return Lines(*lines)


def _head(at: datetime, place: str) -> Text:
    return Text.assemble(
        (" MyKey Hub ", "bold white on blue"), (f" {clock(at)} ", "bold"), (place, WARN), "  Ctrl-C ends"
    )
