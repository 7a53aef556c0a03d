"""The shops' and funds' door as a component: its routes, what it hears, its jobs."""

from typing import Final

from connectors.checkout import counting, statements
from connectors.checkout.audience import OF_KIND, checkout_audience
from connectors.checkout.authorizations import AuthorizationDoor
from connectors.checkout.balances import BalanceDoor
from connectors.checkout.checkouts import Checkouts
from connectors.checkout.left_orders import LeftOrders
from connectors.checkout.offers import OfferDoor
from connectors.checkout.orders import Orders
from connectors.checkout.redirects import RedirectDoor
from connectors.checkout.referrals import ReferralDoor
from connectors.checkout.returns import Returns
from connectors.checkout.settlement import SettlementDoor
from connectors.checkout.store import OrderStore
from hub.component import Component, Context, Job
from hub.keys import Keys
from hub.web.backlog import Backlog
from hub.web.party_reached import PartyReached
from hub.web.signed_parties import Nonces
from schemas.checkouts import AuthorisationReleased, PointsCaptured
from schemas.connections import ShopReached
from schemas.shop_orders import CheckoutOf, ConfirmCheckout

NONCES_EVERY_S: Final = 60.0
DAYS_EVERY_S: Final = 3_600.0
LEFT_EVERY_S: Final = 60.0


def component(context: Context) -> Component:
    """Builds the connector."""
    settings = context.settings
    nonces = Nonces(context.database, statements.FIRST_USE, statements.FORGET_NONCES)
    audience = checkout_audience(context, nonces)
    orders = Orders(context.bus, OrderStore(context.database, settings.checkout_points_a_day), context.clock)
    returns = Returns(Keys(settings.key()).signer("checkout.return"))
    checkouts = Checkouts(context.database, orders, returns, context.clock)
    backlog = Backlog("checkout", settings.door_wait_limit_s, monotonic=context.clock.monotonic)
    doors = (
        AuthorizationDoor(orders, backlog),
        BalanceDoor(context.bus),
        OfferDoor(context.bus),
        ReferralDoor(context.bus),
        SettlementDoor(context.bus),
        RedirectDoor(context.bus, checkouts, returns, settings.own_url),
    )
    return Component(
        name="checkout",
        handlers={PointsCaptured: counting.captured, AuthorisationReleased: counting.released},
        answers={CheckoutOf: checkouts.show},
        apart={ConfirmCheckout: checkouts.confirm},
        connection_tests={ShopReached: PartyReached(context, statements.LAST_NONCE, OF_KIND.keys())},
        routes=[route for door in doors for route in door.routes(audience)],
        jobs=[
            Job("forget_nonces", NONCES_EVERY_S, nonces.forget),
            Job("forget_days", DAYS_EVERY_S, counting.ForgettingDays(context.database, context.clock)),
            Job("end_left", LEFT_EVERY_S, LeftOrders(orders)),
            Job("forget_checkouts", DAYS_EVERY_S, checkouts.forget),
        ],
    )
