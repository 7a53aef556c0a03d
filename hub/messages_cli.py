"""`mykey-hub messages …`: what an operator does with the message store from a terminal."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import BaseModel
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from hub import logs, loop, serving, store
from hub.clock import JAPAN, SystemClock
from hub.database import Database
from hub.keys import Keys
from hub.sealing import PURPOSE
from hub.settings import Settings

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse gives it no other name

CONNECTIONS: Final = 1
MASKED: Final = "(not shown: personal data)"

Answer = Callable[[Database, argparse.Namespace, Console], Awaitable[BaseModel | Sequence[BaseModel] | None]]
"""Does one command; what it returns is printed for machines, where they are asked for."""


def add_parser(subparsers: "SubParsers") -> None:
    """Add `messages` and its own commands; each sets `run` to what takes the options and returns the status."""
    parser = subparsers.add_parser("messages", help="search the message store, see what waits, redrive what is parked")
    sub = parser.add_subparsers(required=True, metavar="what")
    _add(sub, "counts", _counts, "how much waits for each receiver")
    found = _add(sub, "list", _list, "the latest messages that fit")
    found.add_argument("--type", help="such as jp.mykey.points.credited.v1")
    found.add_argument("--subject", type=UUID, metavar="ID", help="what it is about, such as a citizen's id")
    found.add_argument("--correlation", type=UUID, metavar="ID", help="what began with this id")
    found.add_argument("--key", help="a business key, such as a partner's own transfer id")
    found.add_argument("--since", type=_instant, metavar="TIME", help="2017-10-02 or 2017-10-02T09:30, in Japan")
    found.add_argument("--until", type=_instant, metavar="TIME", help="as before; not itself")
    found.add_argument("--limit", type=int, default=50, metavar="N")
    shown = _add(sub, "show", _show, "one message, all that came of it, and what of that still waits")
    shown.add_argument("id", type=UUID)
    groups = _add(sub, "parked", _parked, "what is parked, by kind of failure")
    groups.add_argument("--fingerprint", help="the deliveries of this group")
    _add(sub, "scheduled", _scheduled, "what waits to be tried again, and until when")
    again = _add(sub, "redrive", _redrive, "let what is parked be tried afresh")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("--delivery", type=int, metavar="ID", help="one, also a scheduled one")
    which.add_argument("--fingerprint", help="all of this kind of failure")
    which.add_argument("--all", action="store_true", help="all that is parked")
    note = _add(sub, "note", _note, "leave a note at a delivery; no personal data, please")
    note.add_argument("delivery", type=int)
    note.add_argument("text")


def _add(sub: "SubParsers", name: str, answer: Answer, about: str) -> argparse.ArgumentParser:
    parser = sub.add_parser(name, help=about)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=_start, answer=answer)
    return parser


def _start(options: argparse.Namespace) -> int:
    settings = Settings()
    logs.configure(settings.log_level)
    return loop.run(run(options, settings))


async def run(options: argparse.Namespace, settings: Settings) -> int:
    """Do one command of `messages` on the database of the settings; always 0, or an error of hub.errors."""
    async with serving.database(settings) as url:
        sealer = Keys(settings.key()).sealer(PURPOSE)
        database = Database("hub", url, CONNECTIONS, SystemClock(), sealer)
        await database.open()
        try:
            answer: Answer = options.answer
            said = await answer(database, options, Console(quiet=options.json, markup=False, highlight=False))
        finally:
            await database.close()
    if options.json and said is not None:
        sys.stdout.write(f"{store.as_json(said)}\n")
    return 0


async def _counts(database: Database, _options: argparse.Namespace, console: Console) -> Sequence[BaseModel]:
    found = await store.counts(database)
    table = _table("receiver", "due", "scheduled", "parked", "oldest since")
    for one in found:
        table.add_row(one.receiver, str(one.due), str(one.scheduled), str(one.parked), _time(one.oldest))
    console.print(table if found else "nothing waits")
    return found


async def _list(database: Database, options: argparse.Namespace, console: Console) -> Sequence[BaseModel]:
    wanted = store.Search(
        type=options.type,
        subject=options.subject,
        correlation_id=options.correlation,
        business_key=options.key,
        since=options.since,
        until=options.until,
        limit=options.limit,
    )
    found = await store.search(database, wanted)
    console.print(_messages(found) if found else "no such messages")
    return found


async def _show(database: Database, options: argparse.Namespace, console: Console) -> BaseModel:
    way = await store.way_of(database, options.id)
    console.print(_messages([way.message]))
    if way.message.data is None:
        console.print(MASKED)
    else:
        console.print_json(data=way.message.data)
    console.print(f"What began with {way.message.correlation_id}:")
    console.print(_messages(way.chain))
    console.print(_deliveries(way.waiting) if way.waiting else "all of it is done")
    return way


async def _parked(database: Database, options: argparse.Namespace, console: Console) -> Sequence[BaseModel]:
    if options.fingerprint:
        return _told(await store.waiting(database, "parked", options.fingerprint), console)
    groups = await store.parked(database)
    table = _table("fingerprint", "receiver", "messages", "types", "reason", "last", "note")
    for one in groups:
        types = "\n".join(one.types)
        table.add_row(
            one.fingerprint, one.receiver, str(one.messages), types, one.reason, _time(one.last), one.note or ""
        )
    console.print(table if groups else "nothing is parked")
    return groups


async def _scheduled(database: Database, _options: argparse.Namespace, console: Console) -> Sequence[BaseModel]:
    return _told(await store.waiting(database, "scheduled"), console)


async def _redrive(database: Database, options: argparse.Namespace, console: Console) -> BaseModel:
    if options.delivery is not None:
        await store.redrive_one(database, options.delivery)
        done = 1
    else:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("redrive", total=None)

            def progress(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            if options.all:
                done = await store.redrive_all(database, progress)
            else:
                done = await store.redrive_group(database, options.fingerprint, progress)
    console.print(f"{done} deliveries are tried afresh")
    return _Redriven(deliveries=done)


async def _note(database: Database, options: argparse.Namespace, console: Console) -> None:
    await store.add_note(database, options.delivery, options.text)
    console.print("noted")


class _Redriven(BaseModel):
    """How many deliveries are tried afresh."""

    deliveries: int


def _told(found: Sequence[store.WaitingDelivery], console: Console) -> Sequence[BaseModel]:
    console.print(_deliveries(found) if found else "there are none")
    return found


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in {"due", "messages"} else "left")
    return table


def _messages(found: Sequence[store.StoredMessage]) -> Table:
    table = _table("id", "time", "type", "source", "subject", "key")
    for one in found:
        key = one.business_key or ""
        table.add_row(str(one.id), _time(one.time), one.type, one.source, str(one.subject), key)
    return table


def _deliveries(found: Sequence[store.WaitingDelivery]) -> Table:
    table = _table("delivery", "receiver", "state", "messages", "attempts", "due", "reason", "note")
    for one in found:
        due = _time(one.due_at) if one.due_at else ""
        table.add_row(
            str(one.id),
            one.receiver,
            one.state,
            str(len(one.message_ids)),
            str(one.attempts),
            due,
            one.reason or "",
            one.note or "",
        )
    return table


def _time(instant: datetime) -> str:
    return instant.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")


def _instant(text: str) -> datetime:
    """A time as typed, in Japan where it names no time zone."""
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=JAPAN)).astimezone(UTC)
