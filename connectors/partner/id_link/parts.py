"""ID linkage, put together for the component."""

from dataclasses import dataclass
from typing import Final

from connectors.partner.id_link.client_keys import ClientKeys
from connectors.partner.id_link.discovery import Discovery
from connectors.partner.id_link.key_page import KeyPage
from connectors.partner.id_link.linking import Linkings
from connectors.partner.id_link.linking_store import LinkingStore
from connectors.partner.id_link.membership import LinkDoor
from connectors.partner.id_link.openid import OpenId
from connectors.partner.outbound import Outbound
from hub.component import Context, Job
from hub.keys import Keys
from hub.web.signed_parties import real_now
from schemas.id_links import ACCOUNT_KEY

FORGET_EVERY_S: Final = 600.0
LEFT_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LinkParts:
    """What the component hosts of it."""

    linkings: Linkings
    doors: tuple[LinkDoor, KeyPage]
    jobs: tuple[Job, Job]


def link_parts(context: Context, outbound: Outbound) -> LinkParts:
    """Builds them."""
    keys, own_url = Keys(context.settings.key()), context.settings.own_url
    store = LinkingStore(context.database, keys.sealer("partner.linking"))
    client_keys = ClientKeys(keys, real_now)
    discovery = Discovery(outbound, context.clock.monotonic)
    accounts = keys.hasher(ACCOUNT_KEY)
    linkings = Linkings(
        store=store,
        openid=OpenId(outbound, discovery, client_keys, own_url),
        outbound=outbound,
        accounts=accounts,
        drawing=keys.hasher("partner.linking"),
        bus=context.bus,
        clock=context.clock,
        real_now=real_now,
    )
    doors = (LinkDoor(context.bus, store, accounts, own_url), KeyPage(client_keys))
    jobs = (
        Job("forget_linkings", FORGET_EVERY_S, store.forget_linkings),
        Job("end_left_linkings", LEFT_EVERY_S, linkings.end_left),
    )
    return LinkParts(linkings, doors, jobs)
