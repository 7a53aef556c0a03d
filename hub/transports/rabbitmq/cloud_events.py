"""Batches of messages as they travel: CloudEvents 1.0 in the JSON batch format (`application/cloudevents-batch+json`).

A sealed body travels as it is stored, as `data_base64`: the broker sees no personal data. Who caused a message travels
as the attribute `traceparent` of CloudEvents' extension for distributed tracing; what began its trace has none.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from hub.deliveries import Stored
from hub.errors import PermanentError
from hub.outbox import MessageRow
from hub.tracing import Trace, parse
from schemas.catalog import CATALOG

CONTENT_TYPE: Final = "application/cloudevents-batch+json"
SEALED_TYPE: Final = "application/octet-stream"
"""Of a body with personal data, which only we can open."""


class UnreadableBatchError(PermanentError):
    """What came is no batch of ours: it is dropped, the messages themselves are in the store."""


def batch_of(rows: Sequence[MessageRow]) -> bytes:
    """The batch of these messages."""
    return b"[" + b",".join(map(_event, rows)) + b"]"


def messages_in(batch: bytes) -> dict[UUID, Stored]:
    """The messages of a batch, by id, in order. Raises UnreadableBatchError."""
    try:
        return dict(map(_stored, from_json(batch)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableBatchError from error


def _event(row: MessageRow) -> bytes:
    message_id, kind, source, subject, _business_key, correlation_id, parent_span, time, stored = row
    body: bytes = stored
    attributes = {
        "specversion": "1.0",
        "id": str(message_id),
        "source": source,
        "type": kind,
        "time": time.isoformat(),
        "subject": str(subject),
        "correlationid": str(correlation_id),
    }
    if parent_span is not None:
        attributes["traceparent"] = Trace(correlation_id, parent_span).traceparent
    if CATALOG[kind].PERSONAL:
        sealed = {"datacontenttype": SEALED_TYPE, "data_base64": b64encode(body).decode()}
        return json.dumps(attributes | sealed).encode()
    return json.dumps(attributes)[:-1].encode() + b',"data":' + body + b"}"


def _stored(event: dict[str, Any]) -> tuple[UUID, Stored]:
    sealed = event.get("data_base64")
    cause = parse(event.get("traceparent", ""))
    return UUID(event["id"]), {
        "type": event["type"],
        "source": event["source"],
        "subject": UUID(event["subject"]),
        "correlation_id": UUID(event["correlationid"]),
        "parent_span": None if cause is None else cause.span,
        "time": datetime.fromisoformat(event["time"]),
        "body": to_json(event["data"]) if sealed is None else b64decode(sealed, validate=True),
    }
