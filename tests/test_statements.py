"""Every statement fits the schema as migrated, and finds its rows in large tables by a key; so do foreign keys.

The tables are filled with rows that mean nothing. A statement is planned once, for whatever it will be asked, as
hub.database.SESSION has it. Whoever adds one that reads a whole table gives it an index, or says here why not.
"""

import json
import pkgutil
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Final, NamedTuple

import asyncpg
import pytest

import connectors
import hub
import workers
from hub.database import SESSION
from workers.goods.statements import OFFERS, ONE_OFFER

ROWS: Final = 2_000
"""In each table: enough for an index to be the shorter way where there is one."""
NUMBERS: Final = f"generate_series(1, {ROWS}) AS n"
STATEMENT: Final = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b")
LISTED: Final = re.compile(r"\((\w+) = ANY \(\(?ARRAY\[(.*?)\]")
"""What a CHECK says that a column may have."""
SMALL: Final[Mapping[str, str]] = {
    "partitions, lanes, components": "hub.lane hub.migration hub.pause ledger.head ledger.place clockwork.day_work",
    "processes": "hub.process hub.flow terminal.process",
    "municipalities and their schemes": "ledger.pool registry.municipality registry.scheme registry.support_event",
    "companies, issuers, streets, operators": """operations.operator registry.issuer registry.party registry.party_key
        library.site sandbox.party street.street""",
    "terminals": "terminal.presence",
    "offers of shops and funds": "goods.offer goods.referral",
    "days and hours": "ledger.checkpoint ledger.closed_day ledger.closed_month ledger.day_rollup ledger.month_rollup",
    "what is kept for minutes": """hub.call hub.reply checkout.nonce partner.nonce partner.linking portal.ticket
        terminal.counter_session terminal.counter_ticket terminal.job""",
    "what waits, or has failed": "hub.delivery hub.outage clockwork.overdue_merge operations.note operations.redrive",
}
"""Tables that may be read whole, by as how many rows they have."""
WAITING: Final = {"merge_asked", "merge_late", "correction_open_by_id"}
"""Indexes of the few rows of a large table with which something is still to be done."""
WHOLE: Final[Mapping[str, str]] = {
    "connectors.operations.statements.ACTS": "in order, from the last one on",
    "connectors.operations.statements.CORRECTIONS": "in order, from the last one on",
    "hub.store.CAUSED": "planned anew for what is asked (CUSTOM_PLANS)",
    "hub.store.PARKED": "planned anew for what is asked (CUSTOM_PLANS)",
    "hub.store.SEARCH": "planned anew for what is asked (CUSTOM_PLANS)",
    "hub.waterfall.BY_KEY": "planned anew for what is asked (CUSTOM_PLANS)",
    "workers.ledger.audit_state_statements.CORRECTED": "proof",
    "workers.ledger.audit_state_statements.CORRECTIONS": "proof",
    "workers.ledger.audit_state_statements.COUPONS": "proof",
    "workers.ledger.audit_state_statements.REVOKED": "proof",
    "workers.ledger.audit_statements.ACCOUNTS_ONCE": "proof",
    "workers.ledger.audit_statements.BALANCES": "proof",
    "workers.ledger.audit_statements.CONTRAS": "proof",
    "workers.ledger.audit_statements.COUNTS": "proof",
    "workers.ledger.audit_statements.HOLDS": "proof",
    "workers.ledger.audit_statements.ROLLUPS": "proof",
    "workers.ledger.audit_statements.SET_ASIDE": "proof",
    "workers.ledger.closing_statements.NEXT_DAY": "before the first day is closed, while there are few days",
    "workers.ledger.closing_statements.SUM_DAY": "by the blocks of pages (BRIN) that have the day, in a larger table",
    "workers.ledger.moving_statements.LEAVE_COUPONS": "a partition that moves",
    "workers.ledger.moving_statements.USED_COUPONS": "a partition that moves",
    "workers.ledger.spread_statements.CLAIM_EARLIER": "the first time that a partition lives elsewhere",
    "workers.ledger.statements.HELD_BY_POOL": "the total of all lots, for whoever proves the books",
}
PACKAGES: Final[tuple[ModuleType, ...]] = (connectors, hub, workers)
TABLES: Final = """
SELECT c.oid, c.oid::regclass::text AS name,
    ARRAY(SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c') AS checks
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname !~ '^pg_|^information_schema$' ORDER BY name
"""
COLUMNS: Final = """
SELECT quote_ident(attname) AS name, attnotnull AS is_needed, format_type(coalesce(e.oid, t.oid), NULL) AS type,
    e.oid IS NOT NULL AS is_list
FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid
LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
CHECKS: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
JOIN pg_class AS c ON c.oid = conrelid WHERE contype = 'c' AND coninhcount = 0 AND relnamespace > 16383
"""
PARAMETERS: Final = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'asked'"
INDEXES: Final = """
SELECT i.relnamespace::regnamespace || '.' || i.relname AS name, coalesce(inhparent, indrelid)::regclass::text AS table,
    CASE WHEN amname = 'btree' THEN pg_get_indexdef(indexrelid, 1, true) ELSE '' END AS first
FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid JOIN pg_am AS a ON a.oid = relam
LEFT JOIN pg_inherits ON inhrelid = indrelid
"""
UNINDEXED: Final = """
SELECT conrelid::regclass || ' (' || conname || ')' FROM pg_constraint JOIN pg_class AS c ON c.oid = confrelid
WHERE contype = 'f' AND conparentid = 0
    AND EXISTS (SELECT FROM pg_roles AS r WHERE rolname ^@ 'mykey_' AND NOT pg_has_role(r.oid, relowner, 'USAGE')
        AND has_table_privilege(r.oid, confrelid, 'DELETE'))
    AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND indpred IS NULL
        AND (string_to_array(indkey::text, ' ')::int2[])[:cardinality(conkey)] @> conkey)
"""
"""Foreign keys to tables from which a component may delete, without an index on their side that begins with them."""
MADE: Final[Mapping[str, str]] = {
    "uuid": "md5(n || '{0}')::uuid",
    "text": "md5(n || '{0}')",
    "bytea": "sha256((n || '{0}')::bytea)",
    "smallint": "n % 16",
    "integer": "n",
    "bigint": "n",
    "real": "n",
    "double precision": "n",
    "boolean": "n % 2 = 0",
    "date": "'2026-01-01'::date + n % 365",
    "timestamp with time zone": "now() - n * interval '1 min'",
    "interval": "n * interval '1 min'",
    "json": "'{{}}'::json",
    "jsonb": "'{{}}'::jsonb",
    "inet": "'127.0.0.1'::inet + n",
}
"""What the row number `n` has in a column of this type and name."""


def statements() -> Iterator[tuple[str, str]]:
    """Each text, and where it stands; as often as it has a name."""
    for module in modules_of(PACKAGES):
        yield from _constants_of(module)


def modules_of(packages: Iterable[ModuleType]) -> Iterator[ModuleType]:
    """All that they have, but for programs."""
    for package in packages:
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                yield import_module(info.name)


def _constants_of(module: ModuleType) -> Iterator[tuple[str, str]]:
    for name, text in vars(module).items():
        if name.lstrip("_").isupper() and isinstance(text, str) and STATEMENT.match(text):
            yield text, f"{module.__name__}.{name}"


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as a component's is, to tables that have rows."""
    owner = await asyncpg.connect(database_url, server_settings={"session_replication_role": "replica"})
    tables = await owner.fetch(TABLES)
    for (drop,) in await owner.fetch(CHECKS):
        await owner.execute(drop)
    for table in tables:
        columns = await owner.fetch(COLUMNS, table["oid"])
        values = ", ".join(_value(column, table["checks"]) for column in columns)
        names = ", ".join(column["name"] for column in columns)
        into = f"INSERT INTO {table['name']} ({names}) OVERRIDING SYSTEM VALUE"
        await owner.execute(f"{into} SELECT {values} FROM {NUMBERS} ON CONFLICT DO NOTHING")  # noqa: S608 - our own names
    await owner.execute("ANALYZE")
    await owner.close()
    connection = await asyncpg.connect(database_url, server_settings=SESSION)
    yield connection
    await connection.close()


def _value(column: asyncpg.Record, checks: list[str]) -> str:
    listed = {name: words for check in checks for name, words in LISTED.findall(check)}
    made = MADE[column["type"]].format(column["name"])
    if words := listed.get(column["name"]):
        made = f"(ARRAY[{words}])[1 + n % {words.count(',') + 1}]"
    if column["is_list"]:
        made = f"ARRAY[{made}]"
    typed = f"({made})::{column['type']}{'[]' if column['is_list'] else ''}"
    return typed if column["is_needed"] else f"CASE WHEN n % 3 > 0 THEN {typed} END"


class Index(NamedTuple):
    """A tree is short only for who names its first column; `first` is empty where it is no tree."""

    table: str
    first: str

    def finds(self, condition: str) -> bool:
        """Whether rows of this condition are found without reading all of it."""
        return re.search(rf"(?<!\w){re.escape(self.first)}(?!\w)", condition) is not None


async def indexes(connection: "asyncpg.Connection[asyncpg.Record]") -> Mapping[str, Index]:
    """By their names with their schemas'."""
    return {name: Index(*values) for name, *values in await connection.fetch(INDEXES)}


async def plan_of(connection: "asyncpg.Connection[asyncpg.Record]", sql: str) -> Mapping[str, Any]:
    """The plan made once for all."""
    await connection.execute(f"PREPARE asked AS {sql}")
    try:
        values = ", ".join(["NULL"] * await connection.fetchval(PARAMETERS))
        explain = f"EXPLAIN (VERBOSE, FORMAT json) EXECUTE asked{f'({values})' if values else ''}"
        (explained,) = json.loads(await connection.fetchval(explain))
    finally:
        await connection.execute("DEALLOCATE asked")
    plan: Mapping[str, Any] = explained["Plan"]
    return plan


def whole_reads(plan: Mapping[str, Any], known: Mapping[str, Index], schema: str = "") -> Iterator[str]:
    """The tables that are read from one end to the other, or indexes of them."""
    schema = plan.get("Schema", schema)
    if plan["Node Type"] == "Seq Scan":
        yield f"{plan['Schema']}.{plan['Relation Name']}"
    elif (name := plan.get("Index Name")) is not None and name not in WAITING:
        index, condition = known[f"{schema}.{name}"], plan.get("Index Cond")
        if condition is None or not index.finds(condition):
            yield index.table
    for child in plan.get("Plans", ()):
        yield from whole_reads(child, known, schema)


async def test_statements_fit_the_schema_and_find_rows_of_large_tables_by_a_key(
    filled: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    small = {table for tables in SMALL.values() for table in tables.split()}
    known = await indexes(filled)
    first_names = dict(reversed(list(statements())))
    found = {
        name: tables
        for sql, name in first_names.items()
        if (tables := set(whole_reads(await plan_of(filled, sql), known)) - small)
    }
    assert {name: tables for name, tables in found.items() if name not in WHOLE} == {}
    assert set(first_names.values()) >= WHOLE.keys()


async def test_one_offer_is_found_by_its_key(filled: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Though the table may be read whole: shops ask after each of theirs."""
    assert list(whole_reads(await plan_of(filled, ONE_OFFER), await indexes(filled))) == []
    assert "goods.offer" in whole_reads(await plan_of(filled, OFFERS), await indexes(filled))


async def test_a_statement_without_an_index_is_found(filled: "asyncpg.Connection[asyncpg.Record]") -> None:
    known = await indexes(filled)
    for condition, tables in (("partition = $1 AND block = $2", []), ("business_date = $1", ["ledger.transfer"])):
        plan = await plan_of(filled, f"SELECT FROM ledger.transfer WHERE {condition}")
        assert list(whole_reads(plan, known)) == tables


def test_an_index_is_no_way_to_what_it_does_not_begin_with() -> None:
    index = Index("registry.link", "party_id")
    assert index.finds("((link.party_id = $1) AND (link.citizen_id = $2))")
    assert not index.finds("((link.citizen_id = $1) AND (link.other_party_id = $2))")


async def test_whoever_is_deleted_is_not_looked_for_in_whole_tables(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    assert [name for (name,) in await owner.fetch(UNINDEXED)] == []
    await owner.close()
