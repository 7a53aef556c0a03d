"""Batches of messages as they travel: CloudEvents 1.0 in the JSON batch format (`application/cloudevents-batch+json`).

A sealed body travels as it is stored, as `data_base64`: the broker sees no personal data. Who caused a message travels
as the attribute `traceparent` of CloudEvents' extension for distributed tracing; what began its trace has none.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import repeat
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from hub.deliveries import Stored
from hub.errors import PermanentError
from hub.outbox import MessageRow
from hub.tracing import parse
from schemas.catalog import CATALOG
from schemas.ids import CheapUUID
from schemas.message import traceparent

CONTENT_TYPE: Final = "application/cloudevents-batch+json"
MAC_HEADER: Final = "mykey-mac"
"""Of a batch as it is sent: what the broker brings is done, and whoever can write to a queue must not decide what."""
MAC_PURPOSE: Final = "broker|batch"
NOTHING_IN_IT: Final = b"[]"
SEALED_TYPE: Final = "application/octet-stream"
"""Of a body with personal data, which only we can open."""

_NEIGHBOURS: Final = 64
"""What is said together has one time and seldom more than a few kinds and causes: each is put into words once."""
_FIRST: Final = b'[{"specversion": "1.0", "id": "'
_BETWEEN: Final = b'},{"specversion": "1.0", "id": "'
_DATA: Final = b',"data":'
_LAST: Final = b"}]"


class UnreadableBatchError(PermanentError):
    """What came is no batch of ours: it is dropped, the messages themselves are in the store."""


def batch_of(rows: Sequence[MessageRow]) -> bytes:
    """The batch of these messages."""
    return b"[" + b",".join(map(_event, rows)) + b"]"


def messages_in(batch: bytes) -> dict[UUID, Stored]:
    """The messages of a batch, by id, in order. Raises UnreadableBatchError."""
    try:
        events = from_json(batch)
        return dict(map(_stored, events, _bodies_as_sent(batch, len(events))))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableBatchError from error


def _event(row: MessageRow) -> bytes:
    message_id, kind, source, subject, _business_key, correlation_id, parent_span, time, stored = row
    body: bytes = stored
    said, is_personal = _said(source, kind, time)
    cause = _cause(correlation_id, parent_span)
    # Ids are put in as they are: there is nothing in them to be escaped.
    head = f'{{"specversion": "1.0", "id": "{message_id}", {said}, "subject": "{subject}", {cause}'.encode()
    if is_personal:
        return b'%b, "datacontenttype": "%b", "data_base64": "%b"}' % (head, SEALED_TYPE.encode(), b64encode(body))
    return head + _DATA + body + b"}"


@lru_cache(_NEIGHBOURS)
def _said(source: str, kind: str, time: datetime) -> tuple[str, bool]:
    """The attributes of who said what and when; whether it is personal."""
    attributes = {"source": source, "type": kind, "time": time.isoformat()}
    return json.dumps(attributes)[1:-1], CATALOG[kind].PERSONAL


@lru_cache(_NEIGHBOURS)
def _cause(correlation_id: UUID, parent_span: int | None) -> str:
    begun = f'"correlationid": "{correlation_id}"'
    return begun if parent_span is None else f'{begun}, "traceparent": "{traceparent(correlation_id, parent_span)}"'


def _stored(event: dict[str, Any], as_sent: bytes | None) -> tuple[UUID, Stored]:
    sealed = event.get("data_base64")
    if sealed is not None:
        body = b64decode(sealed, validate=True)
    elif as_sent and next(reversed(event)) == "data":
        body = as_sent
    else:
        body = to_json(event["data"])
    return CheapUUID(event["id"]), {
        "type": event["type"],
        "source": event["source"],
        "subject": CheapUUID(event["subject"]),
        "correlation_id": CheapUUID(event["correlationid"]),
        "parent_span": _span(event.get("traceparent", "")),
        "time": _time(event["time"]),
        "body": body,
    }


def _bodies_as_sent(batch: bytes, count: int) -> Iterable[bytes | None]:
    """The bodies, which need not be put into JSON again where the batch is written as by `batch_of`; else None.

    What is between two events can be in no body: there is no space in it, and a quotation mark in a text is escaped.
    """
    if not (batch.startswith(_FIRST) and batch.endswith(_LAST)):
        return repeat(None, count)
    events = batch[: -len(_LAST)].split(_BETWEEN)
    return [event.partition(_DATA)[2] for event in events] if len(events) == count else repeat(None, count)


@lru_cache(_NEIGHBOURS)
def _span(cause: str) -> int | None:
    found = parse(cause)
    return None if found is None else found.span


_time: Final = lru_cache(_NEIGHBOURS)(datetime.fromisoformat)
