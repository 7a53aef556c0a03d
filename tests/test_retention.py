"""What is kept, and for how long, as docs/retention.md says it: of every table, and as the code has it.

The last cell of a row is read. What does not begin with "for ever" needs a statement that deletes; a column that is
named there needs one that clears it; and "`NAME` = value unit" is a constant of the code, or a setting's default.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import pytest

import connectors
import hub
import reader_agent
import schemas
import street_software
import workers
from hub.settings import PREFIX, Settings
from tests.test_statements import TABLES, modules_of, statements

PAGE: Final = (Path(__file__).parent.parent / "docs" / "retention.md").read_text("utf-8")
NAMED: Final = re.compile(r"^\| `(\w+\.\w+)` \|", re.MULTILINE)
ROW: Final = re.compile(
    r"^\| `(\w+\.\w+)` \| [^|]+ \| (?:no|(?:pseudonymous|sealed|hashed|plain): [^|]+) \| ([^|]+) \|$", re.MULTILINE
)
CONSTANT: Final = re.compile(r"`((?:\w+\.)*[A-Z][A-Z_]+)` = (\d+) (\w+)")
COLUMN: Final = re.compile(r"`([a-z_]+)`")
COLUMNS: Final = """
SELECT attrelid::regclass::text AS table, attname AS name FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped
"""
FUNCTIONS: Final = "SELECT pronamespace::regnamespace || '.' || proname AS name, prosrc FROM pg_proc WHERE oid > 16383"
UNITS: Final[Mapping[str, timedelta]] = {
    "s": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
PACKAGES: Final = (connectors, hub, reader_agent, schemas, street_software, workers)


class Schema(NamedTuple):
    """What the migrations made: table → its columns; and all SQL, a statement's or a called function's each."""

    columns: Mapping[str, set[str]]
    sql: list[str]


@pytest.fixture
async def schema(database_url: str) -> Schema:
    connection = await asyncpg.connect(database_url)
    columns: dict[str, set[str]] = {row["name"]: set() for row in await connection.fetch(TABLES)}
    for row in await connection.fetch(COLUMNS):
        columns.get(row["table"], set()).add(row["name"])
    said = [sql for sql, _ in statements()]
    functions = await connection.fetch(FUNCTIONS)
    await connection.close()
    return Schema(columns, said + [row["prosrc"] for row in functions if f"{row['name']}(" in "\n".join(said)])


def kept_until() -> dict[str, str]:
    """Table → the last cell of its row."""
    return dict(ROW.findall(PAGE))


def deletes(sql: str, table: str) -> bool:
    """Rows, or partitions whole."""
    whole = f"'{table}'::regclass" in sql and "DROP TABLE" in sql
    return whole or re.search(rf"\bDELETE FROM {table}\b", sql) is not None


def clears(sql: str, table: str, column: str) -> bool:
    return bool(re.search(rf"UPDATE {table}\b.*\b{column} = (NULL|'')", sql, re.DOTALL))


def constants() -> Iterator[tuple[str, object]]:
    """By their names with their modules', and settings by that of their variable."""
    for module in modules_of(PACKAGES):
        for name, value in vars(module).items():
            yield f".{module.__name__}.{name}", value
    for name, setting in Settings.model_fields.items():
        yield f".{PREFIX}{name}".upper(), setting.default


def is_worth(name: str, value: object, number: int, unit: str) -> bool:
    """Whether this constant is what the page says."""
    singular = unit.removesuffix("s") or unit
    time = number * UNITS.get(singular, timedelta())
    if isinstance(value, Mapping):
        return bool(max(value.values()) == time)
    if isinstance(value, timedelta):
        return value == time
    if isinstance(value, str):
        return f"interval '{number} {singular}" in value
    return value == (time.total_seconds() if name.endswith("_S") else number)


async def test_every_table_has_one_row(schema: Schema) -> None:
    assert sorted(NAMED.findall(PAGE)) == sorted(schema.columns)
    assert kept_until().keys() == schema.columns.keys()
    assert [table for table, until in kept_until().items() if re.match("for ever(?!: )", until)] == []


async def test_what_is_not_kept_for_ever_is_deleted(schema: Schema) -> None:
    forgotten = [table for table, until in kept_until().items() if not until.startswith("for ever")]
    assert [table for table in forgotten if not any(deletes(sql, table) for sql in schema.sql)] == []


async def test_a_column_that_is_said_to_go_is_cleared(schema: Schema) -> None:
    named = [(table, name) for table, until in kept_until().items() for name in COLUMN.findall(until)]
    assert [(table, name) for table, name in named if name not in schema.columns[table]] == []
    assert [one for one in named if not any(clears(sql, *one) for sql in schema.sql)] == []


def test_limits_are_those_of_the_code() -> None:
    known = list(constants())
    named = CONSTANT.findall(PAGE)
    assert len(named) > 30
    for name, number, unit in named:
        values = [value for full_name, value in known if full_name.endswith(f".{name}")]
        assert values, name
        assert all(is_worth(name, value, int(number), unit) for value in values), (name, values)
