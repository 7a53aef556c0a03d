"""Batches come out as they went in, and what is none of ours is told from them."""

import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from hub.outbox import MessageRow
from hub.transports.rabbitmq.cloud_events import UnreadableBatchError, batch_of, messages_in
from schemas.citizens import CitizenRegistered
from schemas.points import PointsCredited

TIME: Final = datetime(2017, 10, 2, 3, 4, 5, 678901, tzinfo=UTC)
SPAN: Final = 0x00F067AA0BA902B7
ATTRIBUTES: Final = ("type", "source", "subject", "correlation_id", "parent_span", "time", "body")


def row_of(body: bytes, kind: str = PointsCredited.TYPE) -> MessageRow:
    """A row of hub.message."""
    return uuid4(), kind, "ledger", uuid4(), "札幌/1", uuid4(), SPAN, TIME, body


def attributes(row: MessageRow) -> dict[str, Any]:
    """What the receiver needs of a row."""
    _, kind, source, subject, _, correlation_id, parent_span, time, body = row
    return dict(zip(ATTRIBUTES, (kind, source, subject, correlation_id, parent_span, time, body), strict=True))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        '{"words":"札幌 髙﨑 🍣 \\" \\\\ \\n"}'.encode(),
        b'{"much":123456789012345678901234567890,"less":-9007199254740993}',
        b'{"nested":[[{"a":null,"b":[true,false]}]],"empty":[]}',
    ],
)
def test_a_body_comes_out_as_the_same_json(body: bytes) -> None:
    row = row_of(body)

    (stored,) = messages_in(batch_of([row])).values()

    assert json.loads(stored["body"]) == json.loads(body)
    assert {**stored, "body": body} == attributes(row)


def test_a_sealed_body_comes_out_byte_by_byte_and_is_not_seen_on_the_way() -> None:
    row = row_of(bytes(range(256)), CitizenRegistered.TYPE)

    batch = batch_of([row])

    assert messages_in(batch) == {row[0]: attributes(row)}
    assert json.loads(batch)[0].keys() >= {"data_base64"}
    assert "data" not in json.loads(batch)[0]


def test_a_batch_keeps_its_order_and_is_cloud_events() -> None:
    rows = [row_of(b"{}") for _ in range(500)]

    batch = batch_of(rows)

    assert list(messages_in(batch)) == [row[0] for row in rows]
    assert {event["specversion"] for event in json.loads(batch)} == {"1.0"}


def _event(**changes: object) -> dict[str, Any]:
    return {**json.loads(batch_of([row_of(b"{}")]))[0], **changes}


@pytest.mark.parametrize(
    "batch",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"7",
        b"{}x",
        b'{"a":1}',
        b'["a"]',
        b"[[]]",
        b"[null]",
        b"[" * 100_000,
        b'[{"id":"' + b"1" * 5_000 + b'"}]',
        json.dumps([_event(id=7)]).encode(),
        json.dumps([_event(id="7")]).encode(),
        json.dumps([_event(time=7)]).encode(),
        json.dumps([_event(time="yesterday")]).encode(),
        json.dumps([_event(subject=None)]).encode(),
        json.dumps([_event(data_base64="?")]).encode(),
        json.dumps([_event(data_base64=7)]).encode(),
        json.dumps([{name: value for name, value in _event().items() if name != "data"}]).encode(),
    ],
)
def test_what_is_no_batch_of_ours_is_unreadable(batch: bytes) -> None:
    with pytest.raises(UnreadableBatchError):
        messages_in(batch)


def test_nothing_is_a_batch_of_nothing() -> None:
    assert messages_in(b"[]") == {}
    assert UUID(int=0) not in messages_in(batch_of([row_of(b"{}")]))
