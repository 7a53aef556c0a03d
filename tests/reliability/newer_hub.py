"""A hub of a later release, `python -m tests.reliability.newer_hub run …`: its migrations go on where ours end.

Made up: each of its SQL files changes a table that the release before it is writing at that very moment.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from hub import migrations
from hub.__main__ import main
from hub.migrations import MigrationSource

FURTHER: Final = {
    "hub": "ALTER TABLE hub.message ADD COLUMN release text; ALTER TABLE hub.delivery ADD COLUMN release text;",
    "ledger": "ALTER TABLE ledger.lot ADD COLUMN release text; CREATE INDEX posted_on ON ledger.outcome (posted_on);",
}
NAME: Final = "of_the_next_release"


def newer(folder: Path) -> list[MigrationSource]:
    """All that there are, each of them with its further file."""
    sources = migrations.installed_sources()
    return [_newer(source, folder / source.name) if source.name in FURTHER else source for source in sources]


def _newer(source: MigrationSource, folder: Path) -> MigrationSource:
    folder.mkdir()
    files = migrations.read_files(source)
    for file in files:
        (folder / file.name).write_text(file.sql, encoding="utf-8")
    (folder / f"{len(files) + 1:04}_{NAME}.sql").write_text(FURTHER[source.name], encoding="utf-8")
    return MigrationSource(source.name, folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        found = newer(Path(made))
        vars(migrations).update(installed_sources=lambda: found)
        sys.exit(main(sys.argv[1:]))
