"""The portal, put together. Its entry point is `portal`."""

from typing import Final

from connectors.portal.citizen.audience import citizen_routes
from connectors.portal.ground.cards import Cards
from connectors.portal.ground.cookies import Cookies
from connectors.portal.ground.csrf import Csrf
from connectors.portal.ground.guesses import Guesses
from connectors.portal.ground.language import gettext, ngettext
from connectors.portal.ground.look import Look
from connectors.portal.ground.onetime import FormKeys
from connectors.portal.ground.pages import Kit
from connectors.portal.ground.rendering import Screens
from connectors.portal.ground.serving import look_routes
from connectors.portal.ground.sessions import Sessions
from connectors.portal.municipal.audience import municipal_routes
from hub.component import Component, Context, Job
from hub.keys import Keys
from schemas.grants import COUPON_KEY

FORGET_EVERY_S: Final = 3_600.0


def component(context: Context) -> Component:
    """Build it from the hub's settings; connects to nothing yet."""
    keys, own_url = Keys(context.settings.key()), context.settings.own_url
    cookies = Cookies(own_url)
    form_keys = FormKeys(context.database, keys.sealer("portal.form"), context.clock)
    look = Look()
    kit = Kit(
        look=look,
        screens=Screens(look, gettext, ngettext),
        cookies=cookies,
        csrf=Csrf(keys.hasher("portal.csrf"), own_url),
        sessions=Sessions(context.bus, cookies, context.clock.monotonic),
        form_keys=form_keys,
        cards=Cards(context.bus, context.database, own_url, context.settings.demo_file),
        coupons=keys.hasher(COUPON_KEY),
        guesses=(guesses := Guesses(context.database, keys.hasher("portal.guess"))),
        bus=context.bus,
        clock=context.clock,
        settings=context.settings,
    )
    return Component(
        "portal",
        routes=[*look_routes(look), *citizen_routes(kit), *municipal_routes(kit)],
        jobs=[
            Job("forget_forms", FORGET_EVERY_S, form_keys.forget),
            Job("forget_guesses", FORGET_EVERY_S, guesses.forget),
        ],
    )
