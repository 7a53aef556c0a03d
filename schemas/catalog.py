"""The catalogue: every message type by its CloudEvents type. A file of messages is named here once."""

from typing import Final

from schemas import (
    audit,
    checkouts,
    citizens,
    clockwork,
    corrections,
    grants,
    history,
    holds,
    merges,
    municipalities,
    notices,
    parties,
    partner_files,
    points,
    settlement,
    vouchers,
)
from schemas.message import Message

FILES: Final = (
    audit,
    checkouts,
    citizens,
    clockwork,
    corrections,
    grants,
    history,
    holds,
    merges,
    municipalities,
    notices,
    partner_files,
    parties,
    points,
    settlement,
    vouchers,
)


def _message_types() -> dict[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for file in FILES:
        for item in vars(file).values():
            is_message = isinstance(item, type) and issubclass(item, Message) and "TYPE" in vars(item)
            if is_message and found.setdefault(item.TYPE, item) is not item:
                raise TypeError(item.TYPE)
    return found


CATALOG: Final = _message_types()
"""`jp.mykey.points.credit.v1` → CreditPoints, for every message type there is."""
