"""Webhooks, put together for the component."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.partner.outbound import Outbound
from connectors.partner.webhooks.door import WebhookDoor
from connectors.partner.webhooks.endpoints import Endpoints
from connectors.partner.webhooks.replaying import look, replay
from connectors.partner.webhooks.sending import WebhookSender
from connectors.partner.webhooks.telling import Telling
from hub.component import Answerer, Context, Handler, Job
from hub.keys import Keys
from hub.web.signed_parties import real_now
from schemas.message import Message, Query
from schemas.webhooks import ReplayWebhooks, WebhooksOf

FORGET_EVERY_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class WebhookParts:
    """What the component hosts of it."""

    handlers: Mapping[type[Message], Handler]
    answers: Mapping[type[Query], Answerer]
    sender: WebhookSender
    door: WebhookDoor
    job: Job


def webhook_parts(context: Context, outbound: Outbound, unlinked: Handler) -> WebhookParts:
    """Builds them."""
    keys = Keys(context.settings.key())
    endpoints = Endpoints(context.database, keys.sealer("partner.webhook"))
    return WebhookParts(
        {**Telling(endpoints, unlinked).handlers(), ReplayWebhooks: replay},
        {WebhooksOf: look},
        WebhookSender(endpoints, outbound, keys, real_now),
        WebhookDoor(endpoints, outbound, keys),
        Job("forget_webhook_events", FORGET_EVERY_S, endpoints.forget),
    )
