"""`mykey-hub service-ids`: card numbers that were linked to the wrong person, found and ended (mission §3).

Whoever looks into such a case has no page for it. Numbers are neither shown nor typed here.
"""

import argparse
from collections.abc import Sequence
from datetime import date
from typing import Final

from rich.console import Console

from connectors.operations.component import component
from hub.asking import DEADLINE_S, Commands, act, asked, run
from hub.bus import Bus
from hub.clock import JAPAN
from hub.component import Installed
from hub.ids import uuid7
from hub.printing import Listing
from schemas.service_ids import CloseLinks, LinkedCloseTogether, Linking, RemoveServiceId

ASKER: Final = Installed("operations", component)
HEADINGS: Final = (
    *("端末ID", "先の登録", "先の利用者", "先のID付与事業者"),
    *("後の登録", "後の利用者", "後のID付与事業者"),
)


def main(arguments: Sequence[str]) -> int:
    """Library and street card numbers of the wrong person: found, ended.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub service-ids", description="Card numbers of the wrong person.")
    add = Commands(made).add
    close = add("linked-close", "two citizens linked at one terminal within three minutes", _linked_close)
    close.add_argument("first", type=date.fromisoformat, help="the first day, YYYY-MM-DD")
    close.add_argument("last", type=date.fromisoformat, help="the last day")
    close.add_argument("--lg-code", metavar="LG_CODE", help="at terminals of this municipality only")
    remove = add("remove", "end a citizen's number of an issuer; its history stays", _remove, "citizen_id", "issuer_id")
    remove.add_argument("--reason", required=True)
    remove.add_argument(
        "--id", metavar="UUID", help="of the operation, where it was not answered before (console acts)"
    )
    return made


async def _linked_close(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    query = asked(LinkedCloseTogether, first=options.first, last=options.last, lg_code=options.lg_code)
    found = await bus.call(query, DEADLINE_S)
    table = Listing(*HEADINGS, whole=set(HEADINGS))
    for pair in found.pairs:
        table.add_row(*_cells(pair))
    console.print(table)
    if found.more:
        console.print("There are more: ask again from the day of the last one on.")


def _cells(pair: CloseLinks) -> list[str]:
    return [pair.terminal_id, *_linking(pair.first), *_linking(pair.second)]


def _linking(one: Linking) -> list[str]:
    return [f"{one.linked_at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}", str(one.citizen_id), one.issuer_id]


async def _remove(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    """Nothing of citizens is in the audit: the operation's id leads from there to the registry's history."""
    command = asked(
        RemoveServiceId,
        citizen_id=options.citizen_id,
        issuer_id=options.issuer_id,
        operation_id=options.id or uuid7(),
    )
    on = [f"issuer:{command.issuer_id}", f"operation:{command.operation_id}"]
    await act(bus, "service-ids remove", command, on, options.reason)
    console.print(f"{command.citizen_id} has no number of {command.issuer_id} any more")
