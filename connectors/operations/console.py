"""`mykey-hub console`: a live screen, and a command for each thing operators can see or do."""

import argparse
import asyncio
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from rich.console import Console, RenderableType
from rich.console import Group as Lines
from rich.progress import Progress
from rich.text import Text

from connectors.operations import tables
from connectors.operations.acts import Role
from connectors.operations.correction_shapes import CorrectionAsked
from connectors.operations.correction_tables import correction_shown, corrections_table
from connectors.operations.desk import Desk, desk_of
from connectors.operations.options import parser
from connectors.operations.screen import watch
from connectors.operations.shapes import (
    ConnectionAsked,
    CopyAsked,
    GroupDetail,
    NoteAsked,
    OperatorAsked,
    ReasonAsked,
    RedriveAsked,
    RemarkAsked,
    ReplayAsked,
)
from hub import logs, loop, printing
from hub.asking import in_words
from hub.errors import HubError, PermanentError
from hub.settings import Settings, read_settings
from hub.store import Search
from hub.web.validation import field_errors

PROGRESS_EVERY_S: Final = 0.2
DELIVERIES_SHOWN: Final = 100
EDITOR: Final = "vi"

Asked = TypeVar("Asked", bound=BaseModel)


class BadCallError(PermanentError):
    """The command was not given as it must be."""


class NotEditedError(PermanentError):
    """Nothing was changed, so nothing was done."""


class Told(NamedTuple):
    """What a command has to say: for machines, for people, and whether it went well."""

    answer: BaseModel | Sequence[BaseModel]
    shown: RenderableType
    ok: bool = True


Command = Callable[[Desk, argparse.Namespace, Console], Awaitable[Told]]


def main(arguments: Sequence[str]) -> int:
    """See what flows, mend what is parked: a live screen, and the operators' commands.

    Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    options = parser(COMMANDS).parse_args(arguments)
    logs.configure("error")
    console = printing.console(quiet=options.json)
    try:
        return loop.run(run(options, read_settings(), console))
    except HubError as error:
        sys.stderr.write(f"{in_words(error)}\n")
        return 1


async def run(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    """One command, or the live screen; the exit status. Raises HubError."""
    async with desk_of(settings, options.url) as desk:
        command: Command = options.command
        told = await command(desk, options, console)
    console.print(told.shown)
    if options.json:
        sys.stdout.write(f"{_json(told.answer)}\n")
    return 0 if told.ok else 1


def _json(answer: BaseModel | Sequence[BaseModel]) -> str:
    if isinstance(answer, BaseModel):
        return answer.model_dump_json()
    return f"[{','.join(one.model_dump_json() for one in answer)}]"


def _asked(model: type[Asked], **values: object) -> Asked:
    """What is asked for, checked as the door would check it. Raises BadCallError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{one.pointer.strip('/')}: {one.detail}" for one in field_errors(error))
        raise BadCallError(faults) from None


# to be seen


async def _watch(desk: Desk, options: argparse.Namespace, console: Console) -> Told:
    """The live screen; once, where nobody looks at a terminal."""
    if console.is_terminal and not options.json:
        await watch(desk, console)
    return await _flow(desk, options, console)


async def _flow(desk: Desk, _options: argparse.Namespace, _console: Console) -> Told:
    flow = await desk.flow()
    return Told(flow, tables.flow_table(flow))


async def _messages(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    wanted = Search(
        type=options.type,
        subject=options.subject,
        correlation_id=options.correlation,
        business_key=options.key,
        since=options.since,
        until=options.until,
        before=options.before,
        limit=options.limit,
    )
    found = await desk.messages(wanted)
    return Told(found, tables.messages_table(found))


async def _show(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    if options.reveal is None:
        way = await desk.way(options.id)
    else:
        way = await desk.reveal(options.id, _asked(ReasonAsked, reason=options.reveal))
    return Told(way, tables.way_of(way))


async def _parked(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    groups = await desk.parked()
    if options.fingerprint is None:
        return Told(groups, tables.parked_table(groups))
    items = [one for one in groups if one.group.fingerprint == options.fingerprint]
    found = await desk.deliveries("parked", options.fingerprint, 0, DELIVERIES_SHOWN)
    notes = [
        Text(f"{tables.clock(note.at)} {note.operator}: {note.note}", "italic") for one in items for note in one.notes
    ]
    shown = Lines(tables.parked_table(items), *notes, tables.deliveries_table(found))
    return Told(GroupDetail(items=items, deliveries=found), shown)


async def _outages(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    found = await desk.outages(options.limit)
    return Told(found, tables.outages_table(found))


async def _deliveries(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    found = await desk.deliveries(options.state, None, options.after, options.limit)
    return Told(found, tables.deliveries_table(found))


async def _webhooks(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    found = await desk.webhooks(options.party, options.before, options.limit, undelivered=options.undelivered)
    return Told(found, tables.webhooks_table(found))


async def _acts(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    found = await desk.acts(options.before, options.limit)
    return Told(found, tables.acts_table(found))


async def _operators(desk: Desk, _options: argparse.Namespace, _console: Console) -> Told:
    found = await desk.operators()
    return Told(found, tables.operators_table(found))


async def _corrections(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    found = await desk.corrections(options.before, options.limit, only_open=not options.all)
    return Told(found, corrections_table(found))


# to be done


async def _redrive(desk: Desk, options: argparse.Namespace, console: Console) -> Told:
    asked = _asked(
        RedriveAsked,
        delivery=options.delivery,
        fingerprint=options.fingerprint,
        all=options.all,
        reason=options.reason,
    )
    found = await desk.redrive(asked)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("redrive", total=found.total, completed=found.done)
        while not found.finished:
            await asyncio.sleep(PROGRESS_EVERY_S)
            found = await desk.redriven(found.redrive_id)
            bar.update(task, total=found.total, completed=found.done)
    return Told(found, Text(f"{found.done:,} deliveries are tried afresh"))


async def _replay(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    asked = _asked(
        ReplayAsked,
        party_id=options.party,
        event_id=options.event,
        undelivered=options.undelivered,
        reason=options.reason,
    )
    replayed = await desk.replay(asked)
    return Told(replayed, Text(f"asked for; `show {replayed.message_id}` tells how far it is"))


async def _note(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    asked = _asked(NoteAsked, delivery=options.delivery, fingerprint=options.fingerprint, note=options.text)
    return Told(await desk.note(asked), Text("noted"))


async def _copy(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    """The body comes from a file, or out of an editor; a personal one is revealed for it, which is an act too."""
    reason = _asked(ReasonAsked, reason=options.reason)
    if options.file is not None:
        data = _read(options.file)
    else:
        way = await desk.way(options.id)
        if way.message.personal:
            way = await desk.reveal(options.id, reason)
        data = await _edited(way.message.data or {})
    copied = await desk.copy(options.id, _asked(CopyAsked, data=data, reason=reason.reason))
    receivers = ", ".join(copied.receivers)
    return Told(copied, Text(f"{copied.copy_id} goes to {receivers} instead of {copied.original_id}, which is closed"))


async def _edited(data: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """What an editor makes of it; the file is ours alone, and gone afterwards. Raises NotEditedError, BadCallError."""
    with tempfile.TemporaryDirectory(prefix="mykey-hub-") as folder:
        path = Path(folder) / "message.json"
        path.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or EDITOR)
        process = await asyncio.create_subprocess_exec(*editor, str(path))
        status = await process.wait()
        changed = _read(path)
    if status != 0 or changed == data:
        raise NotEditedError
    return changed


def _read(path: Path) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadCallError(f"{path.name}: {error}") from error


async def _pause(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    pause = await desk.pause(options.component, _asked(ReasonAsked, reason=options.reason))
    return Told(pause, Text(f"{pause.component} is paused: `resume {pause.component}` lets it go on", tables.WARN))


async def _resume(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    resumed = await desk.resume(options.component, _asked(RemarkAsked, reason=options.reason))
    return Told(resumed, Text(f"{resumed.component} goes on", tables.GOOD))


async def _test(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    if options.component in {"partner", "checkout"} and options.party is None:
        raise BadCallError(f"whose {options.component}? --party ID")
    if options.component == "library" and options.issuer is None:
        raise BadCallError("which library? --issuer ID")
    asked = _asked(ConnectionAsked, party_id=options.party, issuer_id=options.issuer, reason=options.reason)
    tested = await desk.test_connection(options.component, asked)
    return Told(tested, tables.connection_steps(tested), tested.ok)


async def _add_operator(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    asked = _asked(OperatorAsked, name=options.name, role=Role(options.role), reason=options.reason)
    added = await desk.add_operator(asked)
    token = Text(added.token, "bold", no_wrap=True, overflow="ignore")
    return Told(added, Lines(token, Text(f"This is {added.name}'s token. It is shown once: hand it over now.")))


async def _revoke_operator(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    revoked = await desk.revoke_operator(options.name, _asked(ReasonAsked, reason=options.reason))
    return Told(revoked, Text(f"{revoked.name}'s token opens nothing any more"))


async def _correct(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    asked = _asked(CorrectionAsked, party_id=options.party, command_id=options.posting, reason=options.reason)
    correction = await desk.correct(asked)
    return Told(correction, correction_shown(correction))


async def _approve_correction(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    correction = await desk.approve_correction(options.id, _asked(RemarkAsked, reason=options.reason))
    return Told(correction, correction_shown(correction), correction.code is None)


async def _reject_correction(desk: Desk, options: argparse.Namespace, _console: Console) -> Told:
    correction = await desk.reject_correction(options.id, _asked(ReasonAsked, reason=options.reason))
    return Told(correction, correction_shown(correction))


COMMANDS: Final[dict[str, Command]] = {
    "watch": _watch,
    "flow": _flow,
    "messages": _messages,
    "show": _show,
    "parked": _parked,
    "outages": _outages,
    "deliveries": _deliveries,
    "webhooks": _webhooks,
    "acts": _acts,
    "corrections": _corrections,
    "redrive": _redrive,
    "replay": _replay,
    "note": _note,
    "copy": _copy,
    "pause": _pause,
    "resume": _resume,
    "test": _test,
    "correct": _correct,
    "approve-correction": _approve_correction,
    "reject-correction": _reject_correction,
    "operators list": _operators,
    "operators add": _add_operator,
    "operators revoke": _revoke_operator,
}
