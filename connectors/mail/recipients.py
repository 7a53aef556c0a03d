"""Who gets mail and what pools are called, as the registry tells it; names and addresses are kept sealed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from connectors.mail.addresses import AddressRefusedError, checked_address
from connectors.mail.statements import (
    ADDRESS_STATE,
    CHANGE_ADDRESSES,
    CHANGE_CHOICES,
    MARK_BOUNCED,
    PUT_RECIPIENTS,
    PUT_SCHEMES,
    PUT_SUPPORT_EVENTS,
    RECIPIENTS,
)
from hub.database import Row
from hub.keys import Sealer, place
from hub.transaction import Reading, Transaction
from schemas.citizens import CitizenRegistered, MailChoices, MailChoicesChanged
from schemas.municipalities import SchemeRegistered, SupportEventRegistered
from schemas.notices import MailAddressState, MailAddressStateOf
from schemas.values import event_pool, scheme_pool

TABLE: Final = "mail.recipient"
NAME: Final = "name"
ADDRESS: Final = "address"
BOUNCED: Final = "bounced"

log = structlog.get_logger()


class Person(NamedTuple):
    """A citizen who may get mail; `is_reached`: the address has not bounced."""

    name: str
    address: str
    is_reached: bool
    on_password_change: bool
    on_mykey_id_change: bool


class Recipients:
    """The projection of citizens; the last thing said of a citizen in a run is what counts."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def registered(self, events: Sequence[CitizenRegistered], tx: Transaction) -> None:
        """New citizens, or new names and addresses: one is good until a mail server says otherwise."""
        latest = list({event.citizen_id: event for event in events}.values())
        await tx.execute(
            PUT_RECIPIENTS,
            [event.citizen_id for event in latest],
            [self._seal(NAME, event.citizen_id, event.name) for event in latest],
            [self._seal(ADDRESS, event.citizen_id, event.mail) for event in latest],
            [_state_of(event.citizen_id, event.mail) for event in latest],
            *_columns(event.choices for event in latest),
        )

    async def choices_changed(self, events: Sequence[MailChoicesChanged], tx: Transaction) -> None:
        """Citizens choose anew what they want to hear of."""
        latest = list({event.citizen_id: event for event in events}.values())
        await tx.execute(
            CHANGE_CHOICES,
            [event.citizen_id for event in latest],
            *_columns(event.choices for event in latest),
        )

    async def found(self, citizen_ids: Iterable[UUID], tx: Transaction) -> dict[UUID, Person]:
        """Those that are known, opened."""
        rows = await tx.fetch(RECIPIENTS, list(set(citizen_ids)))
        return {row["citizen_id"]: self._person(row) for row in rows}

    async def change_addresses(self, addresses: Mapping[UUID, str], tx: Transaction) -> None:
        """New addresses: each is good until a mail server says otherwise."""
        await tx.execute(
            CHANGE_ADDRESSES,
            list(addresses),
            [self._seal(ADDRESS, citizen_id, address) for citizen_id, address in addresses.items()],
            [_state_of(citizen_id, address) for citizen_id, address in addresses.items()],
        )

    async def bounced(self, citizen_id: UUID, address: str, tx: Transaction) -> None:
        """The mail server does not know this address; that says nothing where it is no longer the citizen's."""
        for row in await tx.fetch(RECIPIENTS, [citizen_id]):
            if self._person(row).address == address:
                await tx.execute(MARK_BOUNCED, [citizen_id], [row["address_sealed"]])

    def _person(self, row: Row) -> Person:
        citizen_id = row["citizen_id"]
        return Person(
            name=self._sealer.open(row["name_sealed"], place(TABLE, NAME, citizen_id)).decode(),
            address=self._sealer.open(row["address_sealed"], place(TABLE, ADDRESS, citizen_id)).decode(),
            is_reached=row["state"] == "ok",
            on_password_change=row["on_password_change"],
            on_mykey_id_change=row["on_mykey_id_change"],
        )

    def _seal(self, column: str, citizen_id: UUID, text: str) -> bytes:
        return self._sealer.seal(text.encode(), place(TABLE, column, citizen_id))


async def address_state_of(query: MailAddressStateOf, reading: Reading) -> MailAddressState:
    """Answers MailAddressStateOf."""
    return MailAddressState(is_reached=await reading.fetch_value(ADDRESS_STATE, query.citizen_id) != BOUNCED)


async def schemes_registered(events: Sequence[SchemeRegistered], tx: Transaction) -> None:
    """What municipal points are called."""
    latest = list({event.lg_code: event for event in events}.values())
    await tx.execute(
        PUT_SCHEMES,
        [scheme_pool(event.lg_code) for event in latest],
        [event.lg_code for event in latest],
        [event.point_name for event in latest],
        [event.municipality for event in latest],
    )


async def support_events_registered(events: Sequence[SupportEventRegistered], tx: Transaction) -> None:
    """What event points are called."""
    latest = list({event.event_id: event for event in events}.values())
    await tx.execute(
        PUT_SUPPORT_EVENTS,
        [event_pool(event.event_id) for event in latest],
        [event.lg_code for event in latest],
        [event.point_name for event in latest],
    )


def _state_of(citizen_id: UUID, address: str) -> str:
    try:
        checked_address(address)
    except AddressRefusedError:
        log.warning("address_refused", citizen_id=str(citizen_id))
        return BOUNCED
    return "ok"


def _columns(choices: Iterable[MailChoices]) -> tuple[list[bool], list[bool], list[bool], list[bool]]:
    listed = list(choices)
    return (
        [one.on_grant for one in listed],
        [one.on_expiry for one in listed],
        [one.on_password_change for one in listed],
        [one.on_mykey_id_change for one in listed],
    )
