"""Schemes and support events of the municipalities (mission I.1, I.2)."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from hub.transaction import Reading, Transaction
from schemas.municipalities import (
    PoolName,
    PoolNames,
    PoolNamesOf,
    Prefecture,
    Prefectures,
    PrefecturesOf,
    Registered,
    RegisterScheme,
    RegisterSupportEvent,
    Scheme,
    SchemeRegistered,
    Schemes,
    SchemesOf,
    SupportEvent,
    SupportEventRegistered,
    SupportEvents,
    SupportEventsOf,
    lg_key,
)
from schemas.problems import RefusalCode
from schemas.values import EVENT, SCHEME
from workers.registry import statements as sql

OFFICE_FIELDS: Final = {"office", "account"}
"""What of a registration is nobody else's to hear: `offices` keeps it."""


class Body(NamedTuple):
    """A municipality or prefecture (`kind`) and its prefecture's code."""

    kind: str
    name: str
    prefecture: str


async def register_schemes(messages: Sequence[RegisterScheme], tx: Transaction) -> list[Registered]:
    """One scheme per municipality; the same again changes nothing, another name or rule changes it.

    Refused `bad_code` where the code is no municipality's (wards of designated cities and prefectures issue
    no points), `bad_rule` where the fixed date does not exist.
    """
    codes = [message.lg_code for message in messages]
    bodies = await _bodies(codes, tx)
    kept = {row[0]: (row[1], row[2]) for row in await tx.fetch(sql.SCHEMES, codes)}
    changed: dict[str, tuple[int, RegisterScheme]] = {}
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        code = _scheme_refusal(message, bodies)
        answers.append(Registered(code=code) if code else Registered(id=lg_key(message.lg_code)))
        asked = (message.point_name, message.expiry_rule)
        if code is None and kept.get(message.lg_code) != asked:
            kept[message.lg_code] = asked
            changed[message.lg_code] = about, message
    if changed:
        names, rules = zip(*((one.point_name, one.expiry_rule) for _, one in changed.values()), strict=True)
        for lg_code, revision in await tx.fetch(sql.WRITE_SCHEMES, list(changed), list(names), list(rules)):
            about, message = changed[lg_code]
            tx.emit(_scheme_registered(message, bodies[lg_code], revision), about)
    return answers


async def register_support_events(messages: Sequence[RegisterSupportEvent], tx: Transaction) -> list[Registered]:
    """Events of municipalities and prefectures; an event's id stands for one event for ever.

    Refused `bad_code` where the code is nobody's or a named municipality is not of the event's prefecture,
    `bad_period` where it ends before it begins, `id_conflict` where the id was used for another event.
    """
    bodies = await _bodies([code for m in messages for code in (m.lg_code, *m.usable_in)], tx)
    rows = await tx.fetch(sql.SUPPORT_EVENTS, [message.event_id for message in messages])
    kept = {row["event_id"]: tuple(row) for row in rows}
    new: list[tuple[object, ...]] = []
    answers: list[Registered] = []
    for about, message in enumerate(messages):
        row = _support_event_row(message)
        code = _support_event_refusal(message, bodies)
        if code is None and message.event_id not in kept:
            kept[message.event_id] = row
            new.append(row)
            tx.emit(SupportEventRegistered(**message.model_dump(exclude=OFFICE_FIELDS)), about)
        if code is None and kept[message.event_id] != row:
            code = RefusalCode.id_conflict
        answers.append(Registered(code=code) if code else Registered(id=message.event_id))
    if new:
        await tx.copy("registry", "support_event", sql.SUPPORT_EVENT_COLUMNS, new)
    return answers


async def schemes_of(query: SchemesOf, reading: Reading) -> Schemes:
    """All schemes, or one prefecture's, by lg_code."""
    rows = await reading.fetch(sql.SCHEMES_BY_PREFECTURE, query.prefecture)
    return Schemes(schemes=[Scheme(**dict(row)) for row in rows])


async def support_events_of(query: SupportEventsOf, reading: Reading) -> SupportEvents:
    """Those that have not ended, or all; of all prefectures, or of one."""
    rows = await reading.fetch(sql.SUPPORT_EVENTS_BY_PREFECTURE, query.prefecture, query.day)
    return SupportEvents(support_events=[SupportEvent(**dict(row)) for row in rows])


async def pool_names_of(query: PoolNamesOf, reading: Reading) -> PoolNames:
    """Of schemes and events."""
    lg_codes = [pool.removeprefix(SCHEME) for pool in query.pools if pool.startswith(SCHEME)]
    event_ids = [UUID(pool.removeprefix(EVENT)) for pool in query.pools if pool.startswith(EVENT)]
    rows = await reading.fetch(sql.POOL_NAMES, lg_codes, event_ids)
    return PoolNames(pools=[PoolName(**dict(row)) for row in rows])


async def prefectures_of(query: PrefecturesOf, reading: Reading) -> Prefectures:
    """All 47, with what there is to choose from."""
    rows = await reading.fetch(sql.PREFECTURES, query.day)
    return Prefectures(prefectures=[Prefecture(**dict(row)) for row in rows])


async def _bodies(codes: Sequence[str], tx: Transaction) -> dict[str, Body]:
    return {row[0]: Body(*row[1:]) for row in await tx.fetch(sql.BODIES, codes)}


def _scheme_refusal(message: RegisterScheme, bodies: dict[str, Body]) -> str | None:
    body = bodies.get(message.lg_code)
    if body is None or body.kind != "municipality":
        return RefusalCode.bad_code
    kind, _, value = message.expiry_rule.partition(":")
    return RefusalCode.bad_rule if kind == "date" and not _is_a_day(value) else None


def _is_a_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _scheme_registered(message: RegisterScheme, body: Body, revision: int) -> SchemeRegistered:
    return SchemeRegistered(
        lg_code=message.lg_code,
        municipality=body.name,
        point_name=message.point_name,
        expiry_rule=message.expiry_rule,
        revision=revision,
    )


def _support_event_refusal(message: RegisterSupportEvent, bodies: dict[str, Body]) -> str | None:
    body = bodies.get(message.lg_code)
    named = [bodies.get(code) for code in message.usable_in]
    if body is None or (named and body.kind != "prefecture"):
        return RefusalCode.bad_code
    if any(one is None or one.kind != "municipality" or one.prefecture != message.lg_code for one in named):
        return RefusalCode.bad_code
    return RefusalCode.bad_period if message.last < message.first else None


def _support_event_row(message: RegisterSupportEvent) -> tuple[object, ...]:
    return (
        message.event_id,
        message.lg_code,
        message.point_name,
        message.first,
        message.last,
        list(message.usable_in),
    )
