"""Commands that ask the hub at work: for a moment they are a process of it too, which does nothing but ask.

A connector's command line (an entry point `mykey_hub.commands`) makes its parser, sets `command` for each of its
commands, and leaves the rest to `run`.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Protocol, TextIO, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ValidationError
from rich.console import Console

from hub import logs, loop, printing, serving
from hub.accounts import account_name
from hub.bus import Bus
from hub.clock import SystemClock
from hub.component import Installed
from hub.errors import DeadlineExceededError, HubError, PermanentError
from hub.ids import uuid7
from hub.process import HubProcess
from hub.settings import Settings, read_settings
from hub.web.validation import field_errors
from schemas.acts import RecordAct
from schemas.message import Answered
from schemas.problems import Refusal

DEADLINE_S: Final = 10.0
KEY_FILE_LIMIT_BYTES: Final = 16 * 1024

NO_ANSWER: Final = (
    "no running hub has answered in time, and this command asks one: start it (`mykey-hub up`) with the settings that"
    " this command has; whether anything was done is unknown, so look before you do it again"
)

Asked = TypeVar("Asked", bound=BaseModel)
CodedAnswer = TypeVar("CodedAnswer", bound="Coded")
Command = Callable[[Bus, argparse.Namespace, Console], Awaitable[None]]


class Coded(Protocol):
    """An answer that says why not."""

    @property
    def code(self) -> str | None:
        """Of schemas.problems; None where it was done."""


class RefusedError(PermanentError):
    """The hub has refused this."""


class BadFileError(PermanentError):
    """The file cannot be read, or there is one already where a new one is to be."""


class OutcomeUnknownError(PermanentError):
    """No answer came in time: the hub may know what is in the file, or not."""


class Commands:
    """The commands of a program, of which one has to be named."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._each = parser.add_subparsers(required=True, metavar="command")

    def add(self, name: str, about: str, command: Command, *what: str) -> argparse.ArgumentParser:
        """One command, with what has to be named after it; `carry_out` finds it."""
        one = self._each.add_parser(name, help=about, description=about)
        for argument in what:
            one.add_argument(argument)
        one.set_defaults(command=command)
        return one


def run(parser: argparse.ArgumentParser, arguments: Sequence[str], asker: Installed) -> int:
    """Run the command that was called, in the name of the component `asker`.

    Returns:
        Exit status 0 when it was done, 1 when not, 2 for a wrong call.
    """
    options = parser.parse_args(arguments)
    logs.configure("error")
    try:
        loop.run(carry_out(options, read_settings(), printing.console(), asker))
    except HubError as error:
        sys.stderr.write(f"{in_words(error)}\n")
        return 1
    return 0


def in_words(error: HubError) -> str:
    """What to say of it to whoever typed a command that asks the hub at work."""
    is_no_answer = isinstance(error, DeadlineExceededError) and str(error) == error.explanation()
    return f"{type(error).__name__}: {NO_ANSWER}" if is_no_answer else error.in_words()


async def carry_out(options: argparse.Namespace, settings: Settings, console: Console, asker: Installed) -> None:
    """One command that was parsed. Raises HubError."""
    command: Command = options.command
    async with (
        serving.migrated(settings) as owner_url,
        HubProcess(settings, SystemClock(), [asker.only_asking()], owner_url) as process,
    ):
        await command(process, options, console)


def asked(model: type[Asked], /, **values: object) -> Asked:
    """The message or value that these make. Raises RefusedError, which names what does not fit."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{one.pointer.strip('/')}: {one.detail}" for one in field_errors(error))
        raise RefusedError(faults) from None


def check(code: str | None) -> None:
    """Raises RefusedError where the hub's answer is a refusal: what to do, in both languages."""
    if code is not None:
        refusal = Refusal.of(code)
        raise RefusedError(f"{refusal.detail} {refusal.detail_ja}")


async def act(
    bus: Bus, words: str, command: Answered[CodedAnswer], targets: Sequence[str], reason: str = ""
) -> CodedAnswer:
    """Do what changes something, written down by who does it. Raises RefusedError, and why nobody answered."""
    async with written_down(bus, words, targets, reason):
        answer = await bus.call(command, DEADLINE_S)
        check(answer.code)
    return answer


@asynccontextmanager
async def written_down(bus: Bus, words: str, targets: Sequence[str], reason: str = "") -> AsyncIterator[None]:
    """What is done within is in the operators' audit (`mykey-hub console acts`), said durably before it is done.

    Under the name of the account that runs this. `targets` such as `party:<id>`; never a secret. What was refused, or
    not answered, is told by a second row.
    """

    def told(error: str = "") -> RecordAct:
        now, name = SystemClock().now(), account_name(os.getuid())
        return RecordAct(
            act_id=uuid7(), at=now, operator=name, command=words, targets=tuple(targets), reason=reason, error=error
        )

    await bus.send([told()])
    try:
        yield
    except HubError as error:
        await bus.send([told(type(error).__name__)])
        raise


def told_in(path: Path) -> dict[str, object]:
    """What a file in TOML says. Raises BadFileError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFileError(f"{path.name}: {error}") from error


def read_file(path: Path, limit_bytes: int) -> bytes:
    """What is in it; of a file that is longer one byte too many. Raises BadFileError."""
    try:
        with path.open("rb") as file:
            return file.read(limit_bytes + 1)
    except OSError as error:
        raise BadFileError(f"{path.name}: {error}") from error


def public_key_in(path: Path) -> bytes:
    """The raw Ed25519 public key in a PEM file. Raises BadFileError."""
    try:
        key = load_pem_public_key(read_file(path, KEY_FILE_LIMIT_BYTES))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadFileError(f"{path.name} is no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadFileError(f"{path.name} is no Ed25519 key")
    return key.public_bytes_raw()


def new_file(path: Path) -> TextIO:
    """A file that was not there before, for us alone; lines end as they are written. Raises OSError."""
    return open(path, "x", encoding="utf-8", newline="", opener=_for_us_alone)


@contextmanager
def handed_over(path: Path, secret: str) -> Iterator[None]:
    """A new file with a secret that the hub is told within: gone again where the hub does not take it.

    It is made first, so that there is a place for what is drawn. Raises BadFileError; OutcomeUnknownError where no
    answer came, so that the file may hold the only copy of a key that is good.
    """
    try:
        with new_file(path) as file:
            file.write(secret)
    except OSError as error:
        raise BadFileError(f"{path}: {error}") from error
    try:
        yield
    except DeadlineExceededError as error:
        raise OutcomeUnknownError(
            f"no answer came in time, so {path} is kept: the hub may know this key or not. Do it again with another"
            " --out: where the key's id is then taken, this file holds the key; else the new one does, remove this one"
        ) from error
    except HubError:
        path.unlink(missing_ok=True)
        raise


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)
