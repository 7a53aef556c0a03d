"""The installed components as a sandbox runs them: the same, but two doors fail when told to, and no mail leaves."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from connectors.sandbox.cards import Cards
from connectors.sandbox.component import component
from connectors.sandbox.faults import FaultyWebhooks, Orders, faulty_route
from connectors.sandbox.place import ANCHORS_FOLDER, CLOCK_FILE, NAME, opened
from connectors.sandbox.watching import Seen, watching
from connectors.sandbox.world import open_world
from hub.clock import SharedClock, SystemClock
from hub.component import Component, Context, Factory, Installed, Outside, Unasked
from hub.installed import installed
from hub.serving import serving
from hub.web.app import PUBLIC
from schemas.message import Envelope, Message
from schemas.webhooks import SendWebhook

Bend = Callable[[Component], Component]


@asynccontextmanager
async def sandbox(kept: Path | None, port: int) -> AsyncIterator[str]:
    """A sandbox at work; yields where it is. Raises SandboxRefusedError."""
    async with opened(kept, port) as place:
        clock = _clock(place.folder / CLOCK_FILE)
        orders, seen = Orders(), Seen()
        cards = Cards(place.folder / ANCHORS_FOLDER, place.settings.own_url)
        own = Installed(NAME, lambda context: component(context, clock, cards, orders, seen))
        components = [*(_bent(one, orders) for one in installed()), own]
        watchers = [watching(seen, place.settings.own_url)]
        async with serving(place.settings, clock, components, place.owner_url, watching=watchers) as served:
            await open_world(served.process)
            yield place.settings.own_url


def _clock(file: Path) -> SharedClock:
    """A kept sandbox is as far ahead as it was."""
    return SharedClock(file) if file.exists() else SharedClock.begin(file, SystemClock().now())


def _bent(one: Installed, orders: Orders) -> Installed:
    bend = _BENDS.get(one.name)
    return one if bend is None else Installed(one.name, partial(_build, one.factory, partial(bend, orders)))


def _build(factory: Factory, bend: Bend, context: Context) -> Component:
    return bend(factory(context))


def _partner(orders: Orders, whole: Component) -> Component:
    sender = FaultyWebhooks(whole.outside[SendWebhook], orders)
    outside: dict[type[Message], Outside] = {**whole.outside, SendWebhook: sender}
    return replace(_signed(orders, whole), outside=outside)


def _signed(orders: Orders, whole: Component) -> Component:
    routes = [route if route.permission == PUBLIC else faulty_route(route, orders) for route in whole.routes]
    return replace(whole, routes=routes)


def _silent(_orders: Orders, whole: Component) -> Component:
    outside: dict[type[Message], Outside] = dict.fromkeys(whole.outside, _dropped)
    return replace(whole, outside=outside)


async def _dropped(_envelope: Envelope, /) -> Unasked:
    """A mail that would go to somebody who does not exist."""
    return Unasked.UNASKED


_BENDS: Final[Mapping[str, Callable[[Orders, Component], Component]]] = {
    "partner": _partner,
    "checkout": _signed,
    "mail": _silent,
}
