"""Batches come out as they went in, and what is none of ours is told from them."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from hub.outbox import MessageRow
from hub.tracing import Trace
from hub.transports.rabbitmq.cloud_events import SEALED_TYPE, UnreadableBatchError, batch_of, messages_in
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


@pytest.mark.parametrize("said_by", ["ledger", 'a "b" \\ 札幌'])
@pytest.mark.parametrize("kind", [PointsCredited.TYPE, CitizenRegistered.TYPE])
@pytest.mark.parametrize("parent_span", [SPAN, -SPAN, None])
def test_a_batch_is_plain_json_whatever_is_in_it(said_by: str, kind: str, parent_span: int | None) -> None:
    message_id, _, _, subject, key, correlation_id, _, time, body = row_of(b'{"a":"b"}', kind)
    row = (message_id, kind, said_by, subject, key, correlation_id, parent_span, time, body)

    (event,) = json.loads(batch_of([row]))

    cause = {} if parent_span is None else {"traceparent": Trace(correlation_id, parent_span).traceparent}
    data = {"data": json.loads(body)} if kind == PointsCredited.TYPE else {"data_base64": b64encode(body).decode()}
    assert event == {
        "specversion": "1.0",
        "id": str(message_id),
        "source": said_by,
        "type": kind,
        "time": TIME.isoformat(),
        "subject": str(subject),
        "correlationid": str(correlation_id),
        **cause,
        **({} if "data" in data else {"datacontenttype": SEALED_TYPE}),
        **data,
    }
    assert messages_in(batch_of([row])) == {message_id: attributes(row)}


TWO_IN_ONE: Final = b'[{"id":"},{\\"specversion\\": \\"1.0\\"","data":{"a":1}},{"specversion": "1.0", "id": "x"}]'


def test_a_body_in_our_own_writing_comes_out_as_it_was_stored() -> None:
    bodies = [b'{"exact":1.10,"much":1E400}', TWO_IN_ONE, bytes(7), b"{}"]
    kinds = [PointsCredited.TYPE, PointsCredited.TYPE, CitizenRegistered.TYPE, PointsCredited.TYPE]
    rows = [row_of(body, kind) for body, kind in zip(bodies, kinds, strict=True)]

    for some in (rows[:1], [rows[0], *rows[2:]]):
        assert messages_in(batch_of(some)) == {row[0]: attributes(row) for row in some}
    looks_like_two = messages_in(batch_of(rows))
    assert [json.loads(one["body"]) for one in looks_like_two.values() if one["type"] == PointsCredited.TYPE] == [
        json.loads(body) for body in bodies if body != bytes(7)
    ]


@pytest.mark.parametrize(
    "rewritten",
    [
        json.dumps,
        lambda events: json.dumps(events, separators=(",", ":")),
        lambda events: json.dumps(events, indent=1),
        lambda events: json.dumps([dict(reversed(event.items())) for event in events]),
        lambda events: json.dumps(events).replace(', "data"', ',"data"'),
        lambda events: json.dumps([event | {"later": 1} for event in events]).replace(', "data"', ',"data"'),
        lambda events: json.dumps(events).replace(', "data"', ',"data"') + "\n",
        lambda events: json.dumps(events).replace(', "data"', ',"data"').replace("}]", "} ]"),
        lambda events: json.dumps(events).replace(', "data"', ',"data"').replace("}, {", "} ,{"),
    ],
)
def test_a_batch_in_another_writing_is_the_same(rewritten: Callable[[list[dict[str, Any]]], str]) -> None:
    rows = [row_of(b'{"a":{"b":[1,{}]}}') for _ in range(3)]

    brought = messages_in(rewritten(json.loads(batch_of(rows))).encode())

    assert {one: {**stored, "body": json.loads(stored["body"])} for one, stored in brought.items()} == {
        row[0]: {**attributes(row), "body": json.loads(row[-1])} for row in rows
    }


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
