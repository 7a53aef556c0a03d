"""What the product imports from others, `pyproject.toml` must declare: a dependency's dependency may go away.

Run as `python -m tools.declared_imports`; ends with status 1 when one is not declared.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

from tools.house_rules import CHECKED, PRODUCT, Source, sources

SHIPPED_EXTRAS = ("embedded", "otel", "reader")


def declared(pyproject: str) -> set[str]:
    """The normalised names of all distributions that `[project]` asks for, the shipped extras included."""
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [*project["dependencies"], *(line for name in SHIPPED_EXTRAS for line in extras.get(name, []))]
    return {_normalised(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in wanted}


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported(source: Source) -> Iterator[str]:
    """The top names of the other people's packages that a file imports, wherever in the file."""
    for node in ast.walk(source.tree):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = (node.module,)
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in CHECKED:
                yield top


def undeclared(source: Source, wanted: set[str], homes: Mapping[str, list[str]]) -> list[str]:
    """The imports of a file that no declared distribution brings; `homes` maps a package to distributions."""
    return sorted(
        {top for top in imported(source) if not wanted & {_normalised(home) for home in homes.get(top, [top])}}
    )


def main() -> int:
    """Check the checkout this file lies in; the exit status."""
    root = Path(__file__).resolve().parent.parent
    wanted = declared((root / "pyproject.toml").read_text(encoding="utf-8"))
    # It is no part of the set-up: it cannot be built everywhere.
    homes = {"smartcard": ["pyscard"], **packages_distributions()}
    product = [source for source in sources(root) if source.path.parts[0] in PRODUCT]
    faults = [f"{source.path}: {name}" for source in product for name in undeclared(source, wanted, homes)]
    for fault in faults:
        print(f"{fault} is not in pyproject.toml")
    print(f"declared imports: {len(product)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
