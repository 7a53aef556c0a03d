"""From what happened to points to who is told of it: one look-up a run, then one SendNotice for each."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from connectors.mail.choices import CHOICE_OF, Choice
from connectors.mail.statements import WHO_CHOSE
from hub.transaction import Transaction
from schemas.grants import PointsGranted
from schemas.message import Event
from schemas.notices import NoticeKind, PointsExpiringSoon, PointsMovingSoon, SendNotice
from schemas.points import PointsCredited, PointsEvent, PointsExpired, PointsMoved
from schemas.values import RESERVE, scheme_pool

_DAY_BITS: Final = 32
_DIGEST_BYTES: Final = 12
_VERSION_8_AND_VARIANT: Final = (0x8 << 76) | (0b10 << 62)
_FREE_BITS: Final = ((1 << 128) - 1) ^ (0xF << 76) ^ (0b11 << 62)

NoticedEvent = PointsCredited | PointsGranted | PointsMoved | PointsExpired | PointsMovingSoon | PointsExpiringSoon
"""What citizens are told of."""


def notice_id(kind: NoticeKind, day: date, *what: object) -> UUID:
    """The id of the notice about `what`, the same however often it is derived (UUID version 8).

    It begins with the day it tells of, so that notices are written, and one day removed, side by side.
    """
    text = "\n".join((kind.value, day.isoformat(), *map(str, what)))
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES], "big")
    return UUID(int=(first_id_of(day).int | digest) & _FREE_BITS | _VERSION_8_AND_VARIANT)


def first_id_of(day: date) -> UUID:
    """No notice of this day or later has a smaller id."""
    return UUID(int=day.toordinal() << (128 - _DAY_BITS))


def _posted_id(kind: NoticeKind, event: PointsEvent) -> UUID:
    # A command says one event a pool, so the rest would do: the balance is in ids that were given already.
    what = (event.citizen_id, event.party_id, event.command_id, event.pool, event.balance)
    return notice_id(kind, event.posted_on, *what)


def _granted(event: PointsCredited | PointsGranted) -> SendNotice:
    return SendNotice(
        notice_id=_posted_id(NoticeKind.granted, event),
        citizen_id=event.citizen_id,
        kind=NoticeKind.granted,
        pool=event.pool,
        points=event.points,
        day=event.posted_on,
        last_day=event.expires_on,
    )


def _moved(event: PointsMoved) -> SendNotice:
    return SendNotice(
        notice_id=_posted_id(NoticeKind.moved, event),
        citizen_id=event.citizen_id,
        kind=NoticeKind.moved,
        pool=event.pool,
        points=event.points,
        day=event.posted_on,
        last_day=event.expires_on,
    )


def _expired(event: PointsExpired) -> SendNotice:
    return SendNotice(
        notice_id=_posted_id(NoticeKind.expired, event),
        citizen_id=event.citizen_id,
        kind=NoticeKind.expired,
        pool=event.pool,
        points=event.points,
        day=event.posted_on,
    )


def _moving_soon(event: PointsMovingSoon) -> SendNotice:
    return SendNotice(
        notice_id=notice_id(NoticeKind.moving_soon, event.moves_on, event.citizen_id, RESERVE),
        citizen_id=event.citizen_id,
        kind=NoticeKind.moving_soon,
        pool=scheme_pool(event.base_lg_code),
        points=event.points,
        day=event.moves_on,
    )


def _expiring_soon(event: PointsExpiringSoon) -> SendNotice:
    return SendNotice(
        notice_id=notice_id(NoticeKind.expiring_soon, event.expires_on, event.citizen_id, event.pool),
        citizen_id=event.citizen_id,
        kind=NoticeKind.expiring_soon,
        pool=event.pool,
        points=event.points,
        day=event.expires_on,
    )


def notice_of(event: NoticedEvent) -> SendNotice:
    """What is told about an event."""
    match event:
        case PointsCredited() | PointsGranted():
            return _granted(event)
        case PointsMoved():
            return _moved(event)
        case PointsExpired():
            return _expired(event)
        case PointsMovingSoon():
            return _moving_soon(event)
        case PointsExpiringSoon():
            return _expiring_soon(event)


async def send_notices(events: Sequence[NoticedEvent], tx: Transaction) -> None:
    """Ask for one mail for each event whose citizen chose to hear of it; bounced addresses get none."""
    rows = await tx.fetch(WHO_CHOSE, list({event.citizen_id for event in events}))
    chosen = {choice: {row["citizen_id"] for row in rows if row[choice.value]} for choice in Choice}
    for about, event in enumerate(events):
        if event.citizen_id in chosen[CHOICE_OF[KIND_OF[type(event)]]]:
            tx.send(notice_of(event), about)


KIND_OF: Final[Mapping[type[Event], NoticeKind]] = {
    PointsCredited: NoticeKind.granted,
    PointsGranted: NoticeKind.granted,
    PointsMoved: NoticeKind.moved,
    PointsExpired: NoticeKind.expired,
    PointsMovingSoon: NoticeKind.moving_soon,
    PointsExpiringSoon: NoticeKind.expiring_soon,
}
