"""The shops' and funds' door as a component: its routes, what it hears, its jobs."""

from typing import Final

from connectors.checkout import counting, statements
from connectors.checkout.audience import checkout_audience
from connectors.checkout.authorizations import AuthorizationDoor
from connectors.checkout.balances import BalanceDoor
from connectors.checkout.orders import Orders
from connectors.checkout.store import OrderStore
from hub.component import Component, Context, Job
from hub.web.backlog import Backlog
from hub.web.signed_parties import Nonces
from schemas.checkouts import AuthorisationReleased, PointsCaptured

NONCES_EVERY_S: Final = 60.0
DAYS_EVERY_S: Final = 3_600.0


def component(context: Context) -> Component:
    """Builds the connector."""
    settings = context.settings
    nonces = Nonces(context.database, statements.FIRST_USE, statements.FORGET_NONCES)
    audience = checkout_audience(context, nonces)
    orders = Orders(context.bus, OrderStore(context.database, settings.checkout_points_a_day), context.clock)
    backlog = Backlog("checkout", settings.door_wait_limit_s, monotonic=context.clock.monotonic)
    doors = (AuthorizationDoor(orders, backlog), BalanceDoor(context.bus))
    return Component(
        name="checkout",
        handlers={PointsCaptured: counting.captured, AuthorisationReleased: counting.released},
        routes=[route for door in doors for route in door.routes(audience)],
        jobs=[
            Job("forget_nonces", NONCES_EVERY_S, nonces.forget),
            Job("forget_days", DAYS_EVERY_S, counting.ForgettingDays(context.database, context.clock)),
        ],
    )
