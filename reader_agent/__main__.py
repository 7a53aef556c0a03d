"""The command line, `mykey-agent run|enrol|status|ticket|doctor`: everything a person does at the PC itself."""

import argparse
import asyncio
import getpass
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn

import structlog

from reader_agent import enrolment, settings, tickets
from reader_agent.enrolment import EnrolmentRefusedError, HubUnreachableError, Identity
from reader_agent.enrolment_fields import CONTACT_FIELDS
from reader_agent.files.dropping import look_at
from reader_agent.fingerprint import FingerprintError
from reader_agent.hub_tls import HubAuthorityError, hub_tls
from reader_agent.notify.clipboard import tool
from reader_agent.notify.errors import NotHandedOnError
from reader_agent.page import HOST
from reader_agent.private_files import OpenToOthersError
from reader_agent.running import Agent, installed_desk, installed_uplink
from reader_agent.settings import BadSettingsError, Settings
from schemas.uplink import MergeTrouble

_STATUS_OK, _STATUS_FAILED = 0, 1
_EXPECTED: Final = (
    BadSettingsError,
    EnrolmentRefusedError,
    FingerprintError,
    HubAuthorityError,
    HubUnreachableError,
    OpenToOthersError,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when all is well, 1 when not, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    try:
        loaded = settings.load(options.folder)
        _log(loaded.log_level)
        return int(options.command(loaded, options.folder))
    except _EXPECTED as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n{type(error).__doc__}\n")
        return _STATUS_FAILED
    except KeyboardInterrupt:
        return 130


def program() -> NoReturn:
    """The command as it is installed: Python itself would wait for a thread that is held by a share that hangs."""
    sys.excepthook = _fail
    _end(main())


def _fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    _end(_STATUS_FAILED)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-agent", description="The card reader's program of a terminal.")
    made.add_argument("--folder", type=Path, default=settings.default_folder(), help="where agent.toml is")
    sub = made.add_subparsers(required=True, metavar="command")
    commands: dict[str, tuple[str, Callable[[Settings, Path], int]]] = {
        "run": ("serve the page, watch the reader, do what the hub asks", _run),
        "enrol": ("enrol this terminal; the page can do that too", _enrol),
        "status": ("which terminal this is", _status),
        "ticket": ("a ticket that opens the counter's screens, good once and for a minute", _ticket),
        "doctor": ("look whether everything is there that is needed", _doctor),
    }
    for name, (about, command) in commands.items():
        sub.add_parser(name, help=about, description=about).set_defaults(command=command)
    return made


def _log(level: str) -> None:
    """One JSON object a line on standard error; events have static names and ids, nothing that was typed."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def _run(loaded: Settings, folder: Path) -> int:
    async def run() -> None:
        try:
            await _until_told_to_stop(Agent(loaded, folder).run(installed_desk(), installed_uplink()))
        finally:
            # As it ends, asyncio waits for the executor's threads: a share that hangs may hold one of those up to now.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    asyncio.run(run())
    return _STATUS_OK


async def _until_told_to_stop(work: Coroutine[None, None, None]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
    running, stopping = asyncio.create_task(work), asyncio.create_task(told.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if running.done():
        await running
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _enrol(loaded: Settings, folder: Path) -> int:
    typed = {"terminal_id": _typed("端末ID / terminal ID")}
    typed["one_time_password"] = getpass.getpass("ワンタイムパスワード / one-time password: ")
    typed["issuer_id"] = _typed("ID付与事業者の番号（なければ空欄） / issuer ID, empty for none")
    typed |= {name: _typed(field.label) for name, field in CONTACT_FIELDS.items()}
    enrolled = asyncio.run(enrolment.enrol(loaded, Identity(folder), typed))
    _say(f"{enrolled.terminal.terminal_id}: {enrolled.terminal.place} ({enrolled.terminal.kind})")
    return _STATUS_OK


def _status(loaded: Settings, folder: Path) -> int:
    enrolled = Identity(folder).enrolled(loaded)
    if enrolled is None:
        _say(f"not enrolled at {loaded.hub_url}: open http://{HOST}:{loaded.page_port}/ or `mykey-agent enrol`")
        return _STATUS_FAILED
    _say(f"{enrolled.terminal.terminal_id}: {enrolled.terminal.place} ({enrolled.terminal.kind}) at {loaded.hub_url}")
    return _STATUS_OK


def _ticket(loaded: Settings, folder: Path) -> int:
    identity = Identity(folder)
    enrolled = identity.enrolled(loaded)
    if enrolled is None:
        return _status(loaded, folder)
    _say(tickets.ticket(identity, enrolled))
    return _STATUS_OK


def _doctor(loaded: Settings, folder: Path) -> int:
    """Each need in a line; the status says whether all are met. Values of the machine are not shown."""
    identity = Identity(folder)
    checks: dict[str, Callable[[], object]] = {
        "this machine's values": identity.fingerprint,
        "this terminal's key": identity.agent_key,
        "the hub's authorities": lambda: hub_tls(loaded),
        "enrolled": lambda: _must(identity.enrolled(loaded), "enrol first"),
        "card reader library": lambda: _must(find_spec("smartcard"), "pip install '.[reader]' in the checkout"),
        "page's port": lambda: _port(loaded.page_port),
        "clipboard": tool,
        "merge folder, where one is set": lambda: _folder(loaded.merge_folder),
    }
    failed = 0
    for name, check in checks.items():
        try:
            check()
            _say(f"ok      {name}")
        except (*_EXPECTED, NotHandedOnError, LookupError) as error:
            failed += 1
            _say(f"missing {name}: {error}")
    return _STATUS_FAILED if failed else _STATUS_OK


def _must(found: object | None, remedy: str) -> None:
    if found is None:
        raise LookupError(remedy)


def _folder(folder: Path | None) -> None:
    trouble = look_at(folder)
    if trouble not in {None, MergeTrouble.no_folder}:
        raise LookupError(f"{folder}: {trouble}")


def _port(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            return
        probe.bind((HOST, port))


def _typed(label: str) -> str:
    sys.stdout.write(f"{label}: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    program()
