"""One webhook out: signed anew at each try, under the same id; taken is any 2xx (Standard Webhooks)."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

import structlog

from connectors.partner.outbound import DOWN_S, AwayError, ForbiddenAddressError, Got, Outbound, UnreachedError
from connectors.partner.webhooks.endpoints import Endpoints, KeptEvent
from connectors.partner.webhooks.signing import signed_headers, signer_of
from hub.component import Unasked
from hub.errors import NoAnswerError, OutsideDownError, PermanentError, TransientError
from hub.keys import Keys
from schemas.message import Envelope
from schemas.webhooks import SendWebhook

RETRY_AFTER_S: Final = 1.0
BUSY_AFTER_S: Final = 60.0
JUDGED_TRIES_LIMIT: Final = 10
"""An event that was tried as often tells nothing of its endpoint: it may be the one that the endpoint breaks on."""
TAKEN: Final = range(200, 300)

log = structlog.get_logger()


class EndpointForbiddenError(PermanentError):
    """The party's endpoint is at an address that we do not go to; it has to name another one, then redrive."""


class WebhookRefusedError(TransientError):
    """The party's endpoint did not take the event; it is sent again later, for about a day."""

    answered = True


class WebhookUnansweredError(TransientError):
    """The party's endpoint breaks on this event, or keeps silent; it is sent again later, for about a day."""


def destination_of(party_id: UUID) -> str:
    """The other side, for outages: a party's endpoint is not its OpenID provider."""
    return f"webhook:{party_id}"


class WebhookSender:
    """Handles SendWebhook."""

    def __init__(self, endpoints: Endpoints, outbound: Outbound, keys: Keys, real_now: Callable[[], datetime]) -> None:
        self._endpoints = endpoints
        self._outbound = outbound
        self._keys = keys
        self._real_now = real_now

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        """Send it, where there is an endpoint that has not taken it.

        Raises:
            OutsideDownError: the endpoint is not reached.
            NoAnswerError: it keeps silent, or breaks on it.
            WebhookUnansweredError: so often that this tells of the event and no longer of the endpoint.
            WebhookRefusedError: it did not take it.
            EndpointForbiddenError: it is at an address that we do not go to.
        """
        message = envelope.message
        if not isinstance(message, SendWebhook):
            raise TypeError(envelope.type)
        endpoint, event = await self._endpoints.endpoint(message.party_id), await self._endpoints.event(message)
        if endpoint is None or endpoint.disabled_at is not None or event is None:
            return Unasked.UNASKED
        if event.delivered_at is not None and not message.again:
            return Unasked.UNASKED
        signer = signer_of(self._keys, message.party_id)
        headers = signed_headers(message.event_id, event.body, self._real_now(), endpoint.whsecs, signer)
        try:
            got = await self._outbound.tell(endpoint.url, event.body, {**headers, "Content-Type": "application/json"})
        except AwayError as error:
            await self._endpoints.tried(message, error.status)
            raise _away(message, event, error) from error
        except ForbiddenAddressError as error:
            raise EndpointForbiddenError(str(message.party_id)) from error
        await self._answered(message, endpoint.url, got)
        return None

    async def _answered(self, message: SendWebhook, url: str, got: Got) -> None:
        gone_from = url if got.status == HTTPStatus.GONE else None
        is_taken = got.status in TAKEN
        if await self._endpoints.tried(message, got.status, delivered=is_taken, gone_from=gone_from):
            log.warning("webhook_endpoint_gone", party_id=message.party_id)
        elif not is_taken:
            wait_s = BUSY_AFTER_S if got.status == HTTPStatus.TOO_MANY_REQUESTS else RETRY_AFTER_S
            raise WebhookRefusedError(f"status {got.status}", retry_after_s=got.retry_after_s or wait_s)


def _away(message: SendWebhook, event: KeptEvent, error: AwayError) -> TransientError:
    if isinstance(error, UnreachedError):
        return OutsideDownError(str(error), destination=destination_of(message.party_id), retry_after_s=DOWN_S)
    wait_s = error.retry_after_s or RETRY_AFTER_S
    if event.tries >= JUDGED_TRIES_LIMIT:
        return WebhookUnansweredError(str(error), retry_after_s=wait_s)
    return NoAnswerError(str(error), destination=destination_of(message.party_id), retry_after_s=wait_s)
