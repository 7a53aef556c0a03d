"""The sandbox's own door as a component, which `hosting` puts beside the installed ones."""

from connectors.sandbox.audience import sandbox_audience
from connectors.sandbox.cards import Cards
from connectors.sandbox.door import PartyDoor
from connectors.sandbox.faults import Orders
from connectors.sandbox.issuing import Issuing
from connectors.sandbox.people import People
from connectors.sandbox.place import NAME
from connectors.sandbox.rehearsing import RehearsalDoor
from connectors.sandbox.store import PartyStore
from connectors.sandbox.watching import Seen
from hub.clock import SharedClock
from hub.component import Component, Context
from hub.keys import Keys


def component(context: Context, clock: SharedClock, cards: Cards, orders: Orders, seen: Seen) -> Component:
    """Builds it; `clock` is the one that all of them live by."""
    store = PartyStore(context.database, Keys(context.settings.key()).hasher("sandbox.token"))
    issuing = Issuing(context.bus, store, People(context.bus, cards), clock)
    audience = sandbox_audience(store, clock)
    doors = (PartyDoor(issuing, store, seen, clock), RehearsalDoor(context.bus, store, orders, clock))
    return Component(name=NAME, routes=[route for door in doors for route in door.routes(audience)])
