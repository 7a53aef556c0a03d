"""`mykey-hub terminals`: plans filed, terminals issued, renewed, suspended and resumed; asked of the hub at work."""

import argparse
import csv
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from connectors.terminal import issuing
from connectors.terminal.component import component
from connectors.terminal.issuing import HandedOut, NotIssued
from hub.asking import DEADLINE_S, BadFileError, Commands, act, asked, check, new_file, run, written_down
from hub.bus import Bus
from hub.component import Installed
from hub.printing import Listing
from schemas.terminals import (
    AgentKeyOf,
    FileTerminalPlan,
    ResumeTerminal,
    SuspendTerminal,
    Terminal,
    TerminalPlanOf,
    TerminalsOf,
    shown_password,
)

ASKER: Final = Installed("terminal", component)
PLAN_COLUMNS: Final = ("kind", "place", "issuer_id", "point_use_too", "mobile", "count")


def main(arguments: Sequence[str]) -> int:
    """Terminals of municipalities: planned, issued, renewed, suspended and resumed.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    return run(_parser(), arguments, ASKER)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-hub terminals", description="Terminals of municipalities.")
    add = Commands(made).add
    plan = add("plan", "file a municipality's plan (様式I), or show it", _plan, "lg_code")
    plan.add_argument("--file", type=Path, help=f"CSV in UTF-8 with the columns {','.join(PLAN_COLUMNS)}")
    issued = add("issue", "issue what the plan lacks, and show the passwords once (様式II)", _issue, "lg_code")
    issued.add_argument("--csv", type=Path, metavar="FILE", help="write the list there instead, readable by you alone")
    add("list", "the terminals of a municipality and who looks after each", _list, "lg_code")
    add("renew", "a new one-time password, shown once; the one before is good no longer", _renew, "terminal_id")
    suspend = add("suspend", "let a terminal in nowhere", _suspend, "terminal_id")
    suspend.add_argument("--reason", required=True)
    add("resume", "let a suspended terminal in again as it was", _resume, "terminal_id")
    return made


async def _plan(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    if options.file is not None:
        command = _filed(options.lg_code, options.file)
        await act(bus, "terminals plan", command, [f"municipality:{command.lg_code}"])
    found = await bus.call(asked(TerminalPlanOf, lg_code=options.lg_code), DEADLINE_S)
    table = Listing(*PLAN_COLUMNS, whole={"issuer_id"})
    for row in found.rows:
        table.add_row(*(str(getattr(row, name) or "") for name in PLAN_COLUMNS))
    console.print(table)
    console.print(f"{found.left} still to be issued")


def _filed(lg_code: str, path: Path) -> FileTerminalPlan:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            rows = [{name: _value(name or "", text) for name, text in row.items() if text} for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise BadFileError(f"{path.name}: {error}") from error
    return asked(FileTerminalPlan, lg_code=lg_code, rows=rows)


def _value(name: str, text: str) -> str | int | bool:
    """A cell as its column's type; what does not fit stays text, and is refused as such."""
    if name == "count" and text.isascii() and text.isdecimal():
        return int(text)
    return {"true": True, "false": False}.get(text, text) if name in {"point_use_too", "mobile"} else text


async def _issue(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    """The file is made first, so that there is a place for what is issued; which is shown whatever comes after it."""
    lg_code = asked(TerminalPlanOf, lg_code=options.lg_code).lg_code
    handed_out: list[HandedOut] = []
    with nullcontext() if options.csv is None else _new_file(options.csv) as file:
        try:
            async with written_down(bus, "terminals issue", [f"municipality:{lg_code}"]):
                async for one in issuing.issue(bus, lg_code):
                    if isinstance(one, NotIssued):
                        check(one.code)
                    else:
                        handed_out.append(one)
        finally:
            _hand_out(handed_out, file, console)


def _hand_out(handed_out: Sequence[HandedOut], file: TextIO | None, console: Console) -> None:
    if file is not None:
        file.write(issuing.hand_out_list(handed_out))
        console.print(f"{len(handed_out)} terminals are in {file.name}, the only place where their passwords stand")
        return
    table = Listing(*issuing.HEAD, whole=set(issuing.HEAD[:2]))
    for one in handed_out:
        table.add_row(*issuing.cells(one))
    console.print(table)
    console.print("The passwords are shown once: hand them over now.")


def _new_file(path: Path) -> TextIO:
    try:
        return new_file(path)
    except OSError as error:
        raise BadFileError(f"{path.name}: {error}") from error


async def _list(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    found = await bus.call(asked(TerminalsOf, lg_code=options.lg_code), DEADLINE_S)
    headings = ("端末ID", "種別", "設置場所", "ID付与事業者", "状態", "担当者")
    table = Listing(*headings, whole={"端末ID", "ID付与事業者"})
    for one in found.terminals:
        table.add_row(
            one.terminal_id,
            issuing.meaning_of(one.kind, point_use_too=one.point_use_too, mobile=one.mobile),
            one.place,
            one.issuer_id or "",
            _state(one),
            "" if one.contact is None else "\n".join(one.contact.model_dump().values()),
        )
    console.print(table)


def _state(one: Terminal) -> str:
    why = "" if one.reason is None else f" ({', '.join([one.reason, *one.changed])})"
    return f"{one.state}{why}{', password out' if one.password_open else ''}"


async def _renew(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    terminal_id = asked(AgentKeyOf, terminal_id=options.terminal_id).terminal_id
    async with written_down(bus, "terminals renew", [f"terminal:{terminal_id}"]):
        renewed = await issuing.renew(bus, terminal_id)
        if isinstance(renewed, NotIssued):
            check(renewed.code)
    if not isinstance(renewed, NotIssued):
        console.print(f"{terminal_id} {shown_password(renewed)}")
        console.print("The password is shown once: hand it over now.")


async def _suspend(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(SuspendTerminal, terminal_id=options.terminal_id, reason=options.reason)
    await act(bus, "terminals suspend", command, [f"terminal:{command.terminal_id}"], command.reason)
    console.print(f"{command.terminal_id} is let in nowhere")


async def _resume(bus: Bus, options: argparse.Namespace, console: Console) -> None:
    command = asked(ResumeTerminal, terminal_id=options.terminal_id)
    await act(bus, "terminals resume", command, [f"terminal:{command.terminal_id}"])
    console.print(f"{command.terminal_id} is let in again")
