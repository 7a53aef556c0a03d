"""How the programs are said to be installed: from a checkout, since nobody has put the name on an index for us."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FROM_AN_INDEX: Final = re.compile(r"install\b.*mykey-hub\[")
PROGRAMS: Final = ("hub", "connectors", "workers", "reader_agent", "street_software", "demo", "tools", "examples")


def told() -> Iterator[Path]:
    """All that tells people what to do."""
    yield from ROOT.glob("*.md")
    yield from (ROOT / "docs").rglob("*.md")
    for name in PROGRAMS:
        yield from (ROOT / name).rglob("*.py")


def test_nobody_is_told_to_install_a_stranger_s_package() -> None:
    found = [path.relative_to(ROOT) for path in told() if FROM_AN_INDEX.search(path.read_text(encoding="utf-8"))]
    assert found == []
