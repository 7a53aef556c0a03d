"""The partners' door as a component: its routes, the file worker, its jobs."""

from typing import Final

from connectors.partner import statements
from connectors.partner.audience import partner_audience, partner_nonces
from connectors.partner.coupon_checks import CheckDoor, CouponChecks
from connectors.partner.coupons import CouponDoor
from connectors.partner.destinations import Destinations
from connectors.partner.files import FileDoor
from connectors.partner.id_link.linking import unlinked
from connectors.partner.id_link.parts import link_parts
from connectors.partner.intake import FileIntake
from connectors.partner.jobs import Cleaning, jobs
from connectors.partner.outbound import Outbound
from connectors.partner.pipeline import Pipeline
from connectors.partner.settlement import SettlementDoor
from connectors.partner.store import FileStore
from connectors.partner.transfers import TransferDoor
from connectors.partner.webhooks.parts import webhook_parts
from connectors.partner.webhooks.sending import destination_of
from connectors.partner.work import FileWorker
from hub.component import Component, Context
from hub.keys import Keys
from hub.web.backlog import Backlog
from hub.web.limits import AtOnce
from hub.web.party_reached import PartyReached
from hub.web.signed_parties import real_now
from schemas.connections import PartnerReached
from schemas.grants import COUPON_KEY, AskCoupon
from schemas.id_links import RevokeTokens
from schemas.message import Message
from schemas.parties import PartyKind
from schemas.partner_files import WorkTransferFile
from schemas.webhooks import SendWebhook

PARTIES_AT_ONCE: Final = 8
"""Parties that a lane sends webhooks to side by side, to each one after the other."""


def component(context: Context) -> Component:
    """Builds the connector."""
    settings, keys = context.settings, Keys(context.settings.key())
    destinations = Destinations(context.bus, context.clock)
    pipeline = Pipeline(context.bus, destinations)
    store = FileStore(context.database)
    nonces = partner_nonces(context.database)
    audience = partner_audience(context, nonces)
    outbound = Outbound(settings.own_url)
    links = link_parts(context, outbound)
    telling = Outbound(settings.own_url)
    webhooks = webhook_parts(context, telling, unlinked)
    doors = (
        TransferDoor(
            context.bus,
            pipeline,
            Backlog("partner", settings.door_wait_limit_s, monotonic=context.clock.monotonic),
            AtOnce(settings.partner_rows_at_once),
        ),
        FileDoor(store, FileIntake(store, settings.partner_files_at_once)),
        SettlementDoor(context.bus),
        CouponDoor(context.bus, keys.hasher(COUPON_KEY), destinations),
        CheckDoor(context.database, outbound, keys),
        *links.doors,
        webhooks.door,
    )
    checks = CouponChecks(
        database=context.database,
        outbound=outbound,
        keys=keys,
        hasher=keys.hasher(COUPON_KEY),
        bus=context.bus,
        real_now=real_now,
        destinations=destinations,
    )
    reached = PartyReached(context, statements.LAST_NONCE, {PartyKind.partner})

    async def close() -> None:
        await outbound.close()
        await telling.close()

    cleaning = Cleaning(context.database, context.clock, settings.partner_file_days)
    return Component(
        name="partner",
        handlers={**links.linkings.handlers(), **webhooks.handlers},
        answers=webhooks.answers,
        apart={**links.linkings.apart(), AskCoupon: checks},
        connection_tests={PartnerReached: reached},
        outside={
            WorkTransferFile: FileWorker(store, pipeline),
            RevokeTokens: links.linkings.give_back,
            SendWebhook: webhooks.sender,
        },
        outside_limit=PARTIES_AT_ONCE,
        outside_in_turn=True,
        destination_of=_destination_of,
        routes=[route for door in doors for route in door.routes(audience)],
        jobs=[*jobs(nonces, cleaning), *links.jobs, webhooks.job],
        close=close,
    )


def _destination_of(message: Message) -> str | None:
    """The party that is spoken with; a file's work asks nobody outside."""
    if isinstance(message, SendWebhook):
        return destination_of(message.party_id)
    return str(message.party_id) if isinstance(message, RevokeTokens) else None
