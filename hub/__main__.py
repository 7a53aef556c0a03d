"""The command line, `mykey-hub <command>`. Finds components by their entry points, imports none by name."""

import argparse
import ast
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

from hub import commands, contracts, diagram, health, installation, logs, loop, routes, trace_cli
from hub.errors import HubError
from hub.installed import names
from hub.settings import Settings, read_settings

COMMAND_GROUP: Final = "mykey_hub.commands"
"""Entry points of further commands: a callable that takes the rest of the arguments and returns the exit status.

The first line of its docstring is the command's help.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 when all is well, 1 when a check failed, 2 for a wrong call."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    further = {point.name: point for point in importlib.metadata.entry_points(group=COMMAND_GROUP)}
    try:
        if given and given[0] in further:
            return _further(further[given[0]], given[1:])
        is_help = not given or given[0] in {"-h", "--help"}
        abouts = {name: _about(point) if is_help else "" for name, point in sorted(further.items())}
        options = _parser(abouts).parse_args(given)
        return int(options.run(options))
    except HubError as error:
        print(error.in_words(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _further(point: EntryPoint, arguments: Sequence[str]) -> int:
    try:
        command: Callable[[Sequence[str]], int] = point.load()
    except ModuleNotFoundError as error:
        what = f"mykey-hub {point.name} needs the Python module {error.name}, which is not installed here"
        print(f"{what}: in a checkout, `make {point.name}` sets up all that it needs, and runs it", file=sys.stderr)
        return 1
    return command(arguments)


def _about(point: EntryPoint) -> str:
    """The first line of the command's docstring; read, not run, because that may need what is not installed."""
    try:
        found = importlib.util.find_spec(point.module)
    except ModuleNotFoundError:
        return ""
    if found is None or found.origin is None:
        return ""
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == point.attr)
    return next((ast.get_docstring(one) or "" for one in functions), "").partition("\n")[0]


def _parser(further: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mykey-hub", description="MyKey Hub")
    sub = parser.add_subparsers(required=True, metavar="command")
    run = sub.add_parser("run", help="run one or more components in one process")
    run.add_argument("components", nargs="+", metavar="component", help=", ".join(names()))
    run.add_argument("--no-http", action="store_true", help="serve no pages")
    run.add_argument(
        "--no-migrate", action="store_true", help="the database was migrated before, by `migrate`; checked"
    )
    run.set_defaults(run=_with_loop(commands.run))
    up = sub.add_parser("up", help="run all components in one process")
    up.set_defaults(run=_with_loop(commands.run), components=[], no_http=False, no_migrate=False)
    migrate = sub.add_parser("migrate", help="bring the database to the state of this program")
    migrate.add_argument("--roles-only", action="store_true", help="only make its roles, for a backup to be restored")
    migrate.set_defaults(run=_with_loop(commands.migrate))
    ready = sub.add_parser("health", help="ask the process behind MYKEY_INSIDE_PORT whether it is ready")
    ready.set_defaults(run=lambda _: health.main())
    secrets = sub.add_parser("secrets", help="make what an installation keeps secret, as far as it is missing")
    installation.add_arguments(secrets)
    secrets.set_defaults(run=installation.make)
    table = sub.add_parser("routes", help="who hears what")
    table.add_argument("--svg", type=Path, metavar="FILE", help="draw it")
    table.set_defaults(run=_routes)
    written = sub.add_parser("contracts", help="write JSON Schema, AsyncAPI and OpenAPI")
    written.add_argument("folder", type=Path)
    written.set_defaults(run=_contracts)
    trace_cli.add_parser(sub)
    for name, about in further.items():
        sub.add_parser(name, help=about, add_help=False)
    return parser


def _with_loop(command: Callable[[argparse.Namespace, Settings], Coroutine[Any, Any, int]]) -> Callable[..., int]:
    def start(options: argparse.Namespace) -> int:
        settings = read_settings()
        logs.configure(settings.log_level)
        return loop.run(command(options, settings))

    return start


def _routes(options: argparse.Namespace) -> int:
    if options.svg:
        options.svg.write_text(diagram.svg(), encoding="utf-8")
    else:
        print("\n".join(routes.lines()))
    return 0


def _contracts(options: argparse.Namespace) -> int:
    contracts.write(options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
