"""Who gets mail and what pools are called, as the registry tells it; names and addresses are kept sealed."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeVar
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
    UNKNOWN,
)
from hub.database import Row
from hub.errors import TransientError
from hub.keys import Sealer, place
from hub.transaction import Reading, Transaction
from schemas.citizens import CitizenRegistered, MailChoices, MailChoicesChanged
from schemas.municipalities import SchemeRegistered, SupportEventRegistered
from schemas.mykey_ids import MailAddressChanged
from schemas.notices import MailAddressState, MailAddressStateOf
from schemas.values import event_pool, scheme_pool

TABLE: Final = "mail.recipient"
NAME: Final = "name"
ADDRESS: Final = "address"
BOUNCED: Final = "bounced"

Changed = TypeVar("Changed", MailChoicesChanged, MailAddressChanged)

log = structlog.get_logger()


class NotRegisteredYetError(TransientError):
    """Nothing is known of this citizen yet: their registration must come first, and waits or is parked."""


class Person(NamedTuple):
    """A citizen who may get mail; `is_reached`: the address has not bounced."""

    name: str
    address: str
    is_reached: bool
    on_password_change: bool
    on_mykey_id_change: bool


class Recipients:
    """The projection of citizens: of each, what the last change said, in whatever order changes come."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def registered(self, events: Sequence[CitizenRegistered], tx: Transaction) -> None:
        """New citizens; an address is good until a mail server says otherwise. Said again, it changes nothing."""
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
        """Citizens choose anew what they want to hear of. Raises NotRegisteredYetError."""
        latest = _newest(events)
        await check_known((event.citizen_id for event in latest), tx)
        await tx.execute(
            CHANGE_CHOICES,
            [event.citizen_id for event in latest],
            [event.revision for event in latest],
            *_columns(event.choices for event in latest),
        )

    async def found(self, citizen_ids: Iterable[UUID], tx: Transaction) -> dict[UUID, Person]:
        """Those that are known, opened."""
        rows = await tx.fetch(RECIPIENTS, list(set(citizen_ids)))
        return {row["citizen_id"]: self._person(row) for row in rows}

    async def change_addresses(self, events: Sequence[MailAddressChanged], tx: Transaction) -> None:
        """New addresses: each is good until a mail server says otherwise. Raises NotRegisteredYetError."""
        latest = _newest(events)
        await check_known((event.citizen_id for event in latest), tx)
        await tx.execute(
            CHANGE_ADDRESSES,
            [event.citizen_id for event in latest],
            [event.revision for event in latest],
            [self._seal(ADDRESS, event.citizen_id, event.mail) for event in latest],
            [_state_of(event.citizen_id, event.mail) for event in latest],
        )

    async def bounced(self, citizen_id: UUID, address: str, tx: Transaction) -> None:
        """The mail server does not know this address; that says nothing where it is no longer the citizen's."""
        for row in await tx.fetch(RECIPIENTS, [citizen_id]):
            if self._person(row).address == address:
                await tx.execute(MARK_BOUNCED, [citizen_id], [row["address_sealed"]], tx.now)

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


async def check_known(citizen_ids: Iterable[UUID], tx: Transaction) -> None:
    """What is said of a citizen is kept once their registration has come. Raises NotRegisteredYetError."""
    if (citizen_id := await tx.fetch_value(UNKNOWN, list(citizen_ids))) is not None:
        raise NotRegisteredYetError(f"citizen {citizen_id}")


async def address_state_of(query: MailAddressStateOf, reading: Reading) -> MailAddressState:
    """Answers MailAddressStateOf."""
    return MailAddressState(is_reached=await reading.fetch_value(ADDRESS_STATE, query.citizen_id) != BOUNCED)


async def schemes_registered(events: Sequence[SchemeRegistered], tx: Transaction) -> None:
    """What municipal points are called."""
    latest = list({event.lg_code: event for event in sorted(events, key=lambda event: event.revision)}.values())
    await tx.execute(
        PUT_SCHEMES,
        [scheme_pool(event.lg_code) for event in latest],
        [event.lg_code for event in latest],
        [event.point_name for event in latest],
        [event.municipality for event in latest],
        [event.revision for event in latest],
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


def _newest(events: Sequence[Changed]) -> list[Changed]:
    """Of each citizen the last change."""
    return list({event.citizen_id: event for event in sorted(events, key=lambda event: event.revision)}.values())


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
