"""The command line, `mykey-street receive|watch|menu|points|member`: a street's program for its point system."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from street_software import settings
from street_software.menu import Menu, told
from street_software.settings import BadSettingsError, Settings
from street_software.store import Store
from street_software.taking import Taken, Taking

LOOK_EVERY_S: Final = 1.0

log: Final = logging.getLogger("mykey-street")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when all is well, 1 when not, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        loaded = settings.load(options.folder)
        store = Store(loaded.store, opens_accounts=loaded.unknown_members == "open")
        try:
            options.command(loaded, store, options)
        finally:
            store.close()
    except (BadSettingsError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="mykey-street", description="A shopping street's program, as a reference.")
    made.add_argument("--folder", type=Path, default=Path.cwd(), help="where street.toml is")
    sub = made.add_subparsers(required=True, metavar="command")
    commands: dict[str, tuple[str, Callable[[Settings, Store, argparse.Namespace], None]]] = {
        "receive": ("take in the merge files that are there now (合算ポイント受取)", _receive),
        "watch": ("take in whatever comes, until stopped", _watch),
        "menu": ("the screen with 合算ポイント受取", _menu),
        "points": ("what a member has", _points),
        "member": ("open an account for a member", _member),
    }
    for name, (about, command) in commands.items():
        one = sub.add_parser(name, help=about, description=about)
        one.set_defaults(command=command)
        if name in {"points", "member"}:
            one.add_argument("member_id")
    return made


def _receive(loaded: Settings, store: Store, _options: argparse.Namespace) -> None:
    _say(told(Taking(loaded, store).run()))


def _watch(loaded: Settings, store: Store, _options: argparse.Namespace) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    taking = Taking(loaded, store)
    while not stopped.is_set():
        try:
            taken = taking.run()
        except OSError as error:
            # The folder is on a share that is away, or the disk is full: nothing is lost, it is tried again.
            log.warning("not now: %s: %s %s", type(error).__name__, error.strerror, error.filename or "")
            taken = Taken()
        if not taken.files:
            stopped.wait(LOOK_EVERY_S)


def _menu(loaded: Settings, store: Store, _options: argparse.Namespace) -> None:
    Menu(loaded, store, _say, input).run()


def _points(_loaded: Settings, store: Store, options: argparse.Namespace) -> None:
    points = store.points_of(options.member_id)
    _say("no such member" if points is None else str(points))


def _member(_loaded: Settings, store: Store, options: argparse.Namespace) -> None:
    store.open_account(options.member_id)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
