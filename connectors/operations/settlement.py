"""`mykey-hub settlement`: what a municipality is owed by partners, and owes to places (画面83–86).

For offices, which have no page for it yet.
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from rich.console import Console

from connectors.operations.component import component
from connectors.operations.settled import Tallies, Tally, download, of_partners, of_places, total
from hub.asking import DEADLINE_S, Commands, RefusedError, asked, run, written_down
from hub.bus import Bus
from hub.clock import SystemClock
from hub.component import Installed
from hub.errors import PermanentError
from hub.printing import Listing
from schemas.links import PartiesOf
from schemas.parties import PartyKind
from schemas.settlement import (
    MunicipalPartnersView,
    MunicipalPlacesView,
    MunicipalSummaryOf,
    PlaceSummaryOf,
    View,
)

ASKER: Final = Installed("operations", component)
PARTNER_HEADINGS: Final = (
    *("事業者ID", "名称", "移行件数", "移行ポイント数"),
    *("訂正件数", "訂正ポイント数", "精算ポイント数"),
)
PLACE_HEADINGS: Final = (
    *("端末設置場所", "名称", "取引回数", "利用ポイント数"),
    *("返還回数", "返還ポイント数", "精算ポイント数"),
)
TOTAL: Final = "合計"
NEVER_OVER: Final = "the period is not over: what came in between is in one and not in the other; ask again then"


class DoesNotAddUpError(PermanentError):
    """The details do not add up to the summary: settle nothing by this file, and have the books checked (verify)."""


def main(arguments: Sequence[str]) -> int:
    """A municipality's settlement: with partners, with places; details as CSV.

    Exit status 0 when it was done, 1 when not or when details do not add up, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub settlement", description="A municipality's settlement (画面83–86).")
    add = Commands(made).add
    partners = add("partners", "what each partner owes it (画面83)", _partners, "lg_code")
    places = add("places", "what it owes each place (画面85)", _places, "lg_code")
    for one in (partners, places):
        one.add_argument("first", type=date.fromisoformat, help="the first day, YYYY-MM-DD")
        one.add_argument("last", type=date.fromisoformat, help="the last day")
        one.add_argument("--details", type=Path, metavar="FILE", help="all transactions as CSV, for you alone")
    places.add_argument("--place", metavar="ID", help="this one only")
    return made


async def _partners(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    query = asked(MunicipalSummaryOf, lg_code=options.lg_code, **_period(options))
    tallies = of_partners(await bus.call(query, DEADLINE_S))
    parties = (await bus.call(PartiesOf(kinds=(PartyKind.partner,)), DEADLINE_S)).parties
    names = {one.party_id: one.name for one in parties}
    table = Listing(*PARTNER_HEADINGS, whole=set(PARTNER_HEADINGS), right=set(PARTNER_HEADINGS[2:]))
    for party_id, one in tallies.items():
        table.add_row(str(party_id), names.get(party_id, ""), *_figures(one))
    table.add_row(TOTAL, "", *_figures(total(tallies.values())))
    console.print(table)
    await _details(bus, MunicipalPartnersView(lg_code=query.lg_code), tallies, options, console)


async def _places(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    query = asked(PlaceSummaryOf, lg_code=options.lg_code, place_id=options.place, **_period(options))
    tallies = of_places(await bus.call(query, DEADLINE_S))
    table = Listing(*PLACE_HEADINGS, whole=set(PLACE_HEADINGS), right=set(PLACE_HEADINGS[2:]))
    parties = (await bus.call(PartiesOf(party_ids=tuple(tallies)), DEADLINE_S)).parties
    names = {one.party_id: one.name for one in parties}
    for place_id, one in tallies.items():
        table.add_row(str(place_id), names.get(place_id, ""), *_figures(one))
    table.add_row(TOTAL, "", *_figures(total(tallies.values())))
    console.print(table)
    view = MunicipalPlacesView(lg_code=query.lg_code, place_id=query.place_id)
    await _details(bus, view, tallies, options, console)


def _period(options: argparse.Namespace) -> Mapping[str, date]:
    if options.last < options.first:
        raise RefusedError("the last day is before the first one 最終日は開始日以後の日付を指定してください。")
    return {"first": options.first, "last": options.last}


def _figures(one: Tally) -> list[str]:
    return [f"{figure:,}" for figure in (one.transactions, one.used, one.returns, one.returned, one.points)]


async def _details(bus: Bus, view: View, tallies: Tallies, options: argparse.Namespace, console: Console) -> None:
    """Written down, because what is in the file leaves the hub."""
    if options.details is None:
        return
    words = f"settlement {'partners' if isinstance(view, MunicipalPartnersView) else 'places'}"
    async with written_down(bus, words, [f"municipality:{options.lg_code}"]):
        found = await download(bus, view, options.first, options.last, options.details)
        _compare(tallies, found, options.last)
    every = total(found.values())
    console.print(
        f"{every.transactions + every.returns:,} transactions are in {options.details}; with {every.points:,} points"
        " they add up to the summary"
    )


def _compare(summed: Tallies, found: Tallies, last: date) -> None:
    """Counterparty by counterparty. Raises DoesNotAddUpError; the file stays, to be looked at."""
    differing = [one for one in {**summed, **found} if summed.get(one) != found.get(one)]
    if not differing:
        return
    why = DoesNotAddUpError.explanation() if last < SystemClock().business_date() else NEVER_OVER
    ids = " ".join(map(str, differing[:10]))
    raise DoesNotAddUpError(f"{why} ({len(differing)} of {len({**summed, **found})} differ, such as {ids})")
