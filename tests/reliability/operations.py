"""The operator's page, run as it stands: `docs/operations.md`, its commands and its configuration."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from hub import postgres_folders
from hub.embedded_postgres import EmbeddedPostgres
from hub.postgres_programs import find_programs
from tests.reliability.cluster import ROOT
from tests.running import SECRET_KEY

PAGE: Final = ROOT / "docs" / "operations.md"
COMMANDS_LIMIT_S: Final = 60
QUICK: Final = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
"""The drills kill processes, never the machine."""
FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLES: Final = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^(pg_|information_schema)'
"""


def section(heading: str, language: str = "sh") -> list[str]:
    """The fenced blocks of a language below `## heading`, in order."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    text, _, _ = rest.partition("\n## ")
    found = [block for kind, block in FENCED.findall(text) if kind == language]
    assert found, f"{PAGE.name} has no {language or 'plain'} block below {heading!r}"
    return found


def run_commands(commands: str, **names: object) -> str:
    """Run commands of the page, under its names; what they printed. Blocks.

    Where only the owner's URL is named, as on the embedded server, it is everybody's.
    """
    owner = names.get("MYKEY_DATABASE_URL", "")
    programs = [Path(sys.executable).parent, find_programs().bin_path, os.environ["PATH"]]
    environment = {
        "PATH": ":".join(map(str, programs)),
        "MYKEY_SECRET_KEY": SECRET_KEY,
        "MYKEY_LOG_LEVEL": "error",
        "MYKEY_BACKUP_URL": str(owner),
        "SUPERUSER_URL": str(owner),
        **{name: str(value) for name, value in names.items()},
    }
    done = subprocess.run(
        ["/bin/sh", "-euc", commands], env=environment, cwd="/", capture_output=True, text=True, check=False,
        timeout=COMMANDS_LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def backup_folder() -> Iterator[Path]:
    """A folder for backups, with one for the archive that the server's account may write to."""
    place = EmbeddedPostgres.temporary()
    try:
        folder = postgres_folders.prepared(place.log_path.parent, find_programs().account)
        postgres_folders.make_private(folder / "wal", find_programs().account)
        yield folder
    finally:
        place.stop()


async def content(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[bytes]]:
    """Every logged table of the database, with its rows as lines, sorted."""
    tables: dict[str, list[bytes]] = {}
    for schema, table in await connection.fetch(TABLES):
        rows = io.BytesIO()
        await connection.copy_from_table(table, schema_name=schema, output=rows)
        tables[f"{schema}.{table}"] = sorted(rows.getvalue().splitlines())
    return tables
