"""One webhook out: signed anew at each try, under the same id; taken is any 2xx (Standard Webhooks)."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

import structlog

from connectors.partner.outbound import AwayError, ForbiddenAddressError, Outbound
from connectors.partner.webhooks.endpoints import Endpoints
from connectors.partner.webhooks.signing import signed_headers, signer_of
from hub.component import Unasked
from hub.errors import NoAnswerError, PermanentError, TransientError
from hub.keys import Keys
from schemas.message import Envelope
from schemas.webhooks import SendWebhook

RETRY_AFTER_S: Final = 1.0
BUSY_AFTER_S: Final = 60.0
TAKEN: Final = range(200, 300)

log = structlog.get_logger()


class EndpointForbiddenError(PermanentError):
    """The partner's endpoint is at an address that we do not go to; it has to name another one, then redrive."""


class WebhookRefusedError(TransientError):
    """The partner's endpoint answered, and did not take the event; it is sent again later, for about a day."""


def destination_of(party_id: UUID) -> str:
    """The other side, for outages: a partner's endpoint is not its OpenID provider."""
    return f"webhook:{party_id}"


class WebhookSender:
    """Handles SendWebhook."""

    def __init__(self, endpoints: Endpoints, outbound: Outbound, keys: Keys, real_now: Callable[[], datetime]) -> None:
        self._endpoints = endpoints
        self._outbound = outbound
        self._keys = keys
        self._real_now = real_now

    async def __call__(self, envelope: Envelope) -> Unasked | None:
        """Raises NoAnswerError, WebhookRefusedError, EndpointForbiddenError."""
        message = envelope.message
        if not isinstance(message, SendWebhook):
            raise TypeError(envelope.type)
        endpoint, body = await self._endpoints.endpoint(message.party_id), await self._endpoints.body(message)
        if endpoint is None or endpoint.disabled_at is not None or body is None:
            return Unasked.UNASKED
        signer = signer_of(self._keys, message.party_id)
        headers = signed_headers(message.event_id, body, self._real_now(), endpoint.whsecs, signer)
        try:
            got = await self._outbound.post(endpoint.url, body, {**headers, "Content-Type": "application/json"})
        except AwayError as error:
            await self._endpoints.tried(message, None, delivered=False, gone=False)
            destination = destination_of(message.party_id)
            raise NoAnswerError(str(error), destination=destination, retry_after_s=RETRY_AFTER_S) from error
        except ForbiddenAddressError as error:
            raise EndpointForbiddenError(str(message.party_id)) from error
        await self._answered(message, got.status)
        return None

    async def _answered(self, message: SendWebhook, status: int) -> None:
        is_gone = status == HTTPStatus.GONE
        await self._endpoints.tried(message, status, delivered=status in TAKEN, gone=is_gone)
        if is_gone:
            log.warning("webhook_endpoint_gone", party_id=message.party_id)
        elif status not in TAKEN:
            is_busy = status == HTTPStatus.TOO_MANY_REQUESTS
            raise WebhookRefusedError(f"status {status}", retry_after_s=BUSY_AFTER_S if is_busy else RETRY_AFTER_S)
