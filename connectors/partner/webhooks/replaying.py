"""Operators look at what a party was told, and have it told again.

In steps, each a transaction: an endpoint that was away for days may have missed very many events.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from connectors.partner.webhooks import webhook_statements as sql
from connectors.partner.webhooks.endpoints import send_again
from hub.transaction import Reading, Transaction
from schemas.webhooks import UNDELIVERED_LIMIT, KeptWebhook, ReplayWebhooks, SendWebhook, Webhooks, WebhooksOf

STEP_LIMIT: Final = 500

log = structlog.get_logger()


async def replay(messages: Sequence[ReplayWebhooks], tx: Transaction) -> None:
    """Handles ReplayWebhooks. Rare, so one by one."""
    for about, message in enumerate(messages):
        if message.event_id is not None:
            sent = len(await send_again(message.party_id, [message.event_id], tx, about))
        else:
            sent = await _step(message, tx, about)
        log.info("webhooks_replayed", party_id=message.party_id, events=sent)


async def look(query: WebhooksOf, reading: Reading) -> Webhooks:
    """Answers WebhooksOf."""
    endpoint = await reading.fetch_row(sql.ENDPOINT, query.party_id)
    which = sql.UNDELIVERED if query.undelivered else sql.EVENTS
    rows = await reading.fetch(which, query.party_id, query.before, query.limit)
    return Webhooks(
        url=endpoint["url"] if endpoint else None,
        disabled_at=endpoint["disabled_at"] if endpoint else None,
        undelivered=await reading.fetch_value(sql.COUNT_UNDELIVERED, query.party_id, UNDELIVERED_LIMIT),
        events=[KeptWebhook.model_validate(dict(row)) for row in rows],
    )


async def _step(message: ReplayWebhooks, tx: Transaction, about: int) -> int:
    """Some of what was not taken; what has been taken when its turn comes is left out."""
    rows = await tx.fetch(sql.UNDELIVERED_FROM, message.party_id, message.until, message.after, STEP_LIMIT)
    for row in rows:
        tx.send(SendWebhook(party_id=message.party_id, event_id=row["event_id"]), about)
    if len(rows) == STEP_LIMIT:
        tx.send(message.model_copy(update={"after": rows[-1]["event_id"]}), about)
    return len(rows)
