"""`mykey-hub municipalities`: schemes, support events and places registered for offices, which have no page for it yet.

Before anything else: points are a scheme's or an event's, and citizens choose among municipalities with a scheme.
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

from rich.console import Console

from connectors.operations.component import component
from hub.asking import DEADLINE_S, Commands, act, asked, run, told_in, written_down
from hub.bus import Bus
from hub.clock import SystemClock
from hub.component import Installed
from hub.ids import uuid7
from hub.printing import Listing
from schemas.bank_accounts import AccountKind, BankAccount
from schemas.message import Said
from schemas.municipalities import (
    MunicipalOffice,
    MunicipalOfficesOf,
    RegisterScheme,
    RegisterSupportEvent,
    SchemesOf,
    SupportEvent,
    SupportEventsOf,
)
from schemas.places import PlacesOf, RegisterPlace, place_id_of

ASKER: Final = Installed("operations", component)
NOT_REGISTERED: Final = UUID(int=0)
ACCOUNT_KINDS: Final[Mapping[AccountKind, str]] = {
    AccountKind.ordinary: "普通",
    AccountKind.current: "当座",
    AccountKind.savings: "貯蓄",
}
POSTCODE_HEAD_DIGITS: Final = 3


class OfficeFile(Said):
    """What a file in TOML tells of an office."""

    office: MunicipalOffice | None = None
    account: BankAccount | None = None


def main(arguments: Sequence[str]) -> int:
    """Municipal points and support events: opened, changed, listed.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="mykey-hub municipalities", description="Municipal points (画面2–4) and support events (画面5)."
    )
    add = Commands(made).add
    schemes = add("schemes", "the municipal points there are", _schemes)
    scheme = add("scheme", "open a municipality's points, or change their name or expiry", _scheme, "lg_code", "name")
    scheme.add_argument("rule", help="when points expire: none, months:N (end of that month) or date:YYYY-MM-DD")
    events = add("events", "the events that have not ended", _events)
    events.add_argument("--all", action="store_true", help="those that are over too")
    for one in (schemes, events):
        one.add_argument("--prefecture", metavar="LG_CODE", help="of this prefecture only")
    add("places", "where the municipality's points are used", _places, "lg_code")
    add(
        "place",
        "register a store that has no terminal, so that vouchers are redeemed for it",
        _place,
        "lg_code",
        "name",
    )
    event = add("event", "open an event of a municipality or prefecture", _event, "lg_code", "name")
    event.add_argument("first", type=date.fromisoformat, help="the first day of its service period, YYYY-MM-DD")
    event.add_argument("last", type=date.fromisoformat, help="its last day")
    event.add_argument(
        "--usable-in",
        action="append",
        default=[],
        metavar="LG_CODE",
        help="a municipality of the prefecture that holds it; again for each",
    )
    event.add_argument("--id", metavar="UUID", help="its id, if it has one already; else one is drawn")
    for one in (scheme, event):
        one.add_argument(
            "--office", type=Path, metavar="FILE", help="who looks after it, where its money goes: in TOML"
        )
    office = add("office", "who looks after its points, and where their money goes", _office, "lg_code")
    office.add_argument("--whole", action="store_true", help="account numbers whole, which is written down")
    return made


async def _schemes(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    table = Listing("自治体コード", "自治体", "ポイント名", "有効期限", whole={"自治体コード", "有効期限"})
    for one in (await bus.call(asked(SchemesOf, prefecture=options.prefecture), DEADLINE_S)).schemes:
        table.add_row(one.lg_code, one.municipality, one.point_name, one.expiry_rule)
    console.print(table)


async def _scheme(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    told = {"lg_code": options.lg_code, "point_name": options.name, "expiry_rule": options.rule}
    command = asked(RegisterScheme, **told, **_told(options.office))
    await act(bus, "municipalities scheme", command, [f"municipality:{command.lg_code}"])
    console.print(f"{command.lg_code} {command.point_name} {command.expiry_rule}")


async def _places(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    table = Listing("店舗等のID", "名称", "端末", whole={"店舗等のID"})
    for one in (await bus.call(asked(PlacesOf, lg_code=options.lg_code), DEADLINE_S)).places:
        table.add_row(str(one.place_id), one.name, str(one.terminals))
    console.print(table)


async def _place(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(RegisterPlace, lg_code=options.lg_code, name=options.name)
    await act(bus, "municipalities place", command, [f"municipality:{command.lg_code}"])
    console.print(f"{place_id_of(command.lg_code, command.name)} {command.name}")


async def _events(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    day = None if options.all else SystemClock().business_date()
    headings = ("イベントID", "自治体コード", "主催", "ポイント名", "開始日", "終了日", "利用できる自治体")
    table = Listing(*headings, whole={"イベントID", "自治体コード", "開始日", "終了日"})
    for one in (
        await bus.call(asked(SupportEventsOf, prefecture=options.prefecture, day=day), DEADLINE_S)
    ).support_events:
        period = (one.first.isoformat(), one.last.isoformat())
        table.add_row(str(one.event_id), one.lg_code, one.holder, one.point_name, *period, " ".join(one.usable_in))
    console.print(table)


async def _event(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(
        RegisterSupportEvent,
        event_id=options.id or NOT_REGISTERED,
        lg_code=options.lg_code,
        point_name=options.name,
        first=options.first,
        last=options.last,
        usable_in=tuple(options.usable_in),
        **_told(options.office),
    )
    if options.id is None:
        command = command.model_copy(update={"event_id": await _id_of(bus, command)})
    await act(bus, "municipalities event", command, [f"municipality:{command.lg_code}", f"event:{command.event_id}"])
    console.print(f"{command.event_id} {command.point_name} {command.first} {command.last}")


def _told(file: Path | None) -> dict[str, Said | None]:
    """What stays as it was is None."""
    told = OfficeFile() if file is None else asked(OfficeFile, **told_in(file))
    return {"office": told.office, "account": told.account}


async def _office(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    query = asked(MunicipalOfficesOf, lg_code=options.lg_code)
    async with written_down(bus, "municipalities office", [f"municipality:{query.lg_code}"]):
        found = await bus.call(query, DEADLINE_S)
    table = Listing("ポイント", "ポイント名", "担当", "振込先", whole={"ポイント"})
    for one in found.offices:
        table.add_row(one.pool, one.point_name, _contact(one.office), _account(one.account, whole=options.whole))
    console.print(table)


def _contact(office: MunicipalOffice | None) -> str:
    if office is None:
        return ""
    head, tail = office.postcode[:POSTCODE_HEAD_DIGITS], office.postcode[POSTCODE_HEAD_DIGITS:]
    lines = (office.section, office.contact_name, f"〒{head}-{tail} {office.address}", office.phone, office.mail)
    return "\n".join(lines)


def _account(account: BankAccount | None, *, whole: bool) -> str:
    if account is None:
        return ""
    number = account.number if whole else account.masked_number
    where = (f"{account.bank_code} {account.bank}", f"{account.branch_code} {account.branch}")
    return "\n".join((*where, f"{ACCOUNT_KINDS[account.kind]} {number}", account.holder))


async def _id_of(bus: Bus, command: RegisterSupportEvent) -> UUID:
    """The event that is just so: who types it again, not knowing whether it was done, opens no second one."""
    found = (await bus.call(SupportEventsOf(), DEADLINE_S)).support_events
    return next((one.event_id for one in found if _is_so(one, command)), uuid7())


def _is_so(one: SupportEvent, command: RegisterSupportEvent) -> bool:
    names = ("lg_code", "point_name", "first", "last", "usable_in")
    return all(getattr(one, name) == getattr(command, name) for name in names)
