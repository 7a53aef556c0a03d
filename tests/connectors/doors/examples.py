"""For each route that takes a body one that is right; for each about a thing the name of one that there is."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from hub.web.app import Route
from tests.connectors.doors.world import CALLERS, CITY, JSON, LINK, POOL, REFERRAL, Doors

CSV: Final = b"transfer_id,link_id,points,to,occurred_at\r\nt-2,member-1,5,reserve,2017-10-01T09:00:45+09:00\r\n"
DIGEST: Final = "ab" * 32
MYKEY_ID: Final = "DOORS001"

BODIES: Final[Mapping[str, Any]] = {
    "POST /api/partner/transfers": {
        "transfers": [
            {
                "transfer_id": "t-1",
                "link_id": LINK,
                "points": 1,
                "to": "reserve",
                "occurred_at": "2017-10-01T09:00:45+09:00",
            }
        ]
    },
    "POST /api/partner/coupons": {"coupons": [{"code": "DOORS-2017-0001", "points": 5, "to": "reserve"}]},
    "POST /api/partner/coupon-voidings": {"codes": ["DOORS-2017-0002"]},
    "PUT /api/partner/coupon-check": {"url": "http://127.0.0.1:1/coupons"},
    "POST /api/partner/membership-answers": {"linking": "A" * 43, "subject": "member 1"},
    "POST /api/partner/link-lookups": {"subjects": ["member 1"]},
    "PUT /api/partner/webhook": {"url": "http://127.0.0.1:1/hooks"},
    "POST /api/partner/webhook-replays": {"event_ids": [str(UUID(int=1))]},
    "POST /api/checkout/authorizations": {
        "order_id": "o-1",
        "link_id": LINK,
        "points": 10,
        "pool": POOL,
        "item_ids": ["brewery"],
    },
    "POST /api/checkout/authorizations/{order_id}/capture": {"points": 10},
    "POST /api/checkout/authorizations/{order_id}/void": {},
    "POST /api/checkout/authorizations/{order_id}/refunds": {"refund_id": "r-1", "points": 1},
    "POST /api/checkout/offers": {
        "offer_id": "brewery",
        "revision": 1,
        "title": "酒蔵",
        "merchant": "酒蔵",
        "price": 1_000,
        "page_url": "https://fund.example/brewery",
        "lg_codes": [CITY],
    },
    "POST /api/checkout/referrals/{referral_id}/screening": {"passed": True},
    "POST /api/checkout/referrals/{referral_id}/open": {"offer_id": "brewery"},
    "POST /api/checkout/checkouts": {
        "order_id": "o-2",
        "title": "出資",
        "at_most": 100,
        "item_ids": ["brewery"],
        "return_url": "https://fund.example/back",
    },
    "POST /api/street/merges/{number}/answer": {"taken": False, "reason": "no member"},
    "POST /api/street/card-reads": {"terminal_id": "T232343000001"},
    "POST /api/terminal/enrolments": {
        "terminal_id": "T232343000001",
        "one_time_password": "ABCDEFGHJKMNPQRS",
        "public_key": DIGEST,
        "contact": {
            "name": "試験 花子",
            "section": "図書館係",
            "phone": "03-0000-0000",
            "mail": "library@city.example",
            "address": "本町1-1",
        },
        "fingerprint": DIGEST,
        "value_digests": {"cpu": DIGEST},
        "recipe": "pc-1",
    },
    "POST /api/counter/sessions": {"ticket": f"T232343000001.1.{DIGEST}.{DIGEST}{DIGEST}"},
    "POST /api/counter/operations": {"purpose": "look-up-service-id"},
    "POST /api/counter/operations/{operation_id}/offer": {"attempt": 1},
    "POST /api/counter/operations/{operation_id}/check": {"mykey_id": MYKEY_ID},
    "POST /api/counter/operations/{operation_id}/create": {
        "mykey_id": MYKEY_ID,
        "name": "氏名 一",
        "mail": "one@mail.example",
        "password": "葉桜 quince 17 ぶらんこ",
        "base_lg_code": CITY,
        "choices": {"on_mykey_id_change": True},
    },
    "POST /api/counter/operations/{operation_id}/change": {"mykey_id": MYKEY_ID},
    "POST /api/counter/operations/{operation_id}/register": {"number": "520625"},
    "POST /api/counter/operations/{operation_id}/merge": {"pool": POOL, "points": 1},
    "POST /api/counter/operations/{operation_id}/use": {"pool": POOL, "points": 1, "at_most": True},
    "POST /api/counter/operations/{operation_id}/issue-voucher": {
        "pool": POOL,
        "points": 1,
        "expires_on": "2017-10-31",
    },
    "POST /api/counter/operations/{operation_id}/print-again": {"voucher_id": str(UUID(int=1))},
    "POST /api/counter/vouchers/look-up": {"text": "9876-5432 ABCD2345"},
    "POST /api/counter/vouchers/redeem": {"redemption_id": str(UUID(int=1)), "text": "9876-5432 ABCD2345"},
}
QUERIES: Final[Mapping[str, str]] = {
    "GET /api/partner/settlement": "?first=2017-10-01&last=2017-10-31",
    "GET /api/partner/settlement/details": "?first=2017-10-01&last=2017-10-31",
    "GET /api/checkout/settlement": "?first=2017-10-01&last=2017-10-31",
    "GET /api/checkout/settlement/details": "?first=2017-10-01&last=2017-10-31",
    "GET /api/counter/settlement": "?first=2017-10-01&last=2017-10-31",
    "GET /api/counter/settlement/details": "?first=2017-10-01&last=2017-10-31",
    "GET /api/partner/coupon-report": "?first=2017-10-01&last=2017-10-31",
    "GET /api/checkout/balance": f"?link_id={LINK}",
}
UNKNOWN: Final[Mapping[str, str]] = {
    "transfer_id": "never-was",
    "file_id": str(UUID(int=404)),
    "order_id": "never-was",
    "offer_id": "never-was",
    "referral_id": str(UUID(int=404)),
    "number": "20171002101530999999",
    "operation_id": str(UUID(int=404)),
}
"""Names of things that there are not."""


def name_of(route: Route) -> str:
    """As the document has it, without the patterns of parameters."""
    path = re.sub(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}", r"{\1}", route.full_path)
    return f"{route.method} {path}"


def address(route: Route, things: Mapping[str, str] = UNKNOWN) -> str:
    """The route about these things, with what its query must have."""
    name = name_of(route)
    return name.partition(" ")[2].format(**things) + QUERIES.get(name, "")


def body_of(route: Route, body: Any = None) -> tuple[bytes | None, Mapping[str, str]]:  # noqa: ANN401 - any JSON
    """The bytes of a body, and the header that names their kind; the right one where none is given."""
    if route.consumes:
        return CSV, {"Content-Type": route.consumes[0], "Idempotency-Key": "file-1"}
    if route.request is None:
        return None, {}
    return json.dumps(BODIES[name_of(route)] if body is None else body).encode(), JSON


def places(value: Any, kind: type) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - any JSON
    """The paths to all values of exactly this kind."""
    if type(value) is kind:
        yield ()
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in parts:
        yield from ((step, *rest) for rest in places(part, kind))


def changed(value: Any, path: tuple[str | int, ...], part: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same, but for what stands there."""
    if not path:
        return part
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], part)
    return copy


async def things(doors: Doors) -> dict[str, str]:
    """One of each, of the first callers'."""
    partner, checkout, _street, counter = (CALLERS[name][0] for name in ("partner", "checkout", "street", "counter"))
    made = {"transfer_id": "t-1", "order_id": "o-1", "offer_id": "brewery", "referral_id": str(REFERRAL)}
    for name, caller in (
        ("POST /api/partner/transfers", partner),
        ("POST /api/checkout/offers", checkout),
        ("POST /api/checkout/authorizations", checkout),
    ):
        method, path = name.split(" ")
        answer = await doors.ask(caller, method, path, json.dumps(BODIES[name]).encode())
        assert answer.status == 200, answer
    of_file = {"Content-Type": "text/csv", "Idempotency-Key": str(uuid4())}
    file = await doors.ask(partner, "POST", "/api/partner/transfer-files", CSV, of_file)
    begun = await doors.ask(counter, "POST", "/api/counter/operations", b'{"purpose": "look-up-service-id"}')
    assert (file.status, begun.status) == (202, 202), (file, begun)
    await doors.process.drained(deadline_s=15)
    return made | {
        "file_id": file.json["file_id"],
        "number": doors.merge_number,
        "operation_id": begun.json["operation_id"],
    }
