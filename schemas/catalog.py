"""The catalogue: every message type by its CloudEvents type. A file of messages is named here once."""

from typing import Final, TypeVar

from schemas import (
    acts,
    audit,
    card_jobs,
    cards,
    checkouts,
    citizens,
    clockwork,
    connections,
    corrections,
    grants,
    history,
    holds,
    id_links,
    libraries,
    links,
    logins,
    merges,
    municipalities,
    mykey_ids,
    notices,
    offers,
    outages,
    parties,
    partner_files,
    places,
    points,
    service_ids,
    settlement,
    shop_orders,
    streets,
    terminals,
    vouchers,
    webhooks,
)
from schemas.message import Message, OldVersion

Kind = TypeVar("Kind", Message, OldVersion)

FILES: Final = (
    acts,
    audit,
    cards,
    card_jobs,
    checkouts,
    citizens,
    clockwork,
    connections,
    corrections,
    grants,
    history,
    holds,
    id_links,
    logins,
    libraries,
    links,
    merges,
    municipalities,
    mykey_ids,
    notices,
    offers,
    outages,
    partner_files,
    parties,
    places,
    points,
    service_ids,
    settlement,
    shop_orders,
    streets,
    terminals,
    vouchers,
    webhooks,
)


def _types_of(kind: type[Kind]) -> dict[str, type[Kind]]:
    found: dict[str, type[Kind]] = {}
    for file in FILES:
        for item in vars(file).values():
            is_one = isinstance(item, type) and issubclass(item, kind) and "TYPE" in vars(item)
            if is_one and found.setdefault(item.TYPE, item) is not item:
                raise TypeError(item.TYPE)
    return found


CATALOG: Final = _types_of(Message)
"""`jp.mykey.points.credit.v1` → CreditPoints, for every message type there is."""
OLD_VERSIONS: Final = _types_of(OldVersion)
"""The same for versions that are read, and said no more."""
