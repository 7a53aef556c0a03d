"""The hot statements go to their rows by a key, also when they were planned while the tables had few rows or none."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from hashlib import md5
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from hub.database import SESSION
from hub.transaction import WHOLE_TABLES
from schemas.values import LANES
from workers.ledger import history_statements, statements
from workers.ledger.audit_state_statements import CORRECTED, CORRECTIONS, COUPONS, COUPONS_USED, REVOKED
from workers.ledger.audit_statements import HOLDS

ROWS: Final = 5_000
"""Rows in all, of which two are asked for."""
LAST_BUT_TWO: Final = sorted(UUID(md5(str(n).encode(), usedforsecurity=False).hexdigest()) for n in range(1, ROWS + 1))[
    -3
]
"""A citizen behind whom there are two."""
FILLS: Final[Mapping[str, str]] = {
    "contra": """
INSERT INTO ledger.contra (partition, account, name, balance)
SELECT 3, n, 'store:' || n, 0 FROM generate_series($1::int, $2::int) AS n
""",
    "lot": """
INSERT INTO ledger.lot (partition, account, citizen_id, pool, expires_on, origin, balance)
SELECT 3, n, md5(n::text)::uuid, 'reserve', '2030-01-01', md5('0')::uuid, 5 FROM generate_series($1::int, $2::int) AS n
""",
    "rollup": """
INSERT INTO ledger.rollup (partition, day, lg_code, counterparty_id, pool, kind, transfers, points, transactions,
    first_block, last_block)
SELECT 3, '2026-01-10', '131032', md5(n::text)::uuid, 'reserve', 1, 1, 1, 1, 1, 1
FROM generate_series($1::int, $2::int) AS n
""",
    "outcome": """
INSERT INTO ledger.outcome (party_id, command_id, request_hash, partition, block, number, citizen_id, kind, points,
    balances, posted_on)
SELECT md5('0')::uuid, n, '', 3, 1, n, md5(((n + 1) / 2)::text)::uuid, 1, 1, '{}', '2026-01-10'
FROM generate_series($1::int, $2::int) AS n
""",
    "transfer": """
INSERT INTO ledger.transfer (partition, block, line, outcome, kind, debit, credit, points, business_date)
SELECT 3, 1, n, n, 1, 1, 2, 1, '2026-01-10' FROM generate_series($1::int, $2::int) AS n
""",
}
TWO: Final[Mapping[str, tuple[str, str]]] = {
    "OUTCOMES": ("uuid[], text[]", "ARRAY[md5('0'), md5('0')]::uuid[], ARRAY['7', '99']"),
    "CONTRAS": ("smallint, text[]", "3::smallint, ARRAY['store:7', 'store:99']"),
    "LOTS": (
        "uuid[], text[], date",
        "ARRAY[md5('7'), md5('9')]::uuid[], ARRAY['reserve', 'reserve'], '2026-01-10'",
    ),
    "ALL_LOTS": ("uuid[], date", "ARRAY[md5('7'), md5('9')]::uuid[], '2026-01-10'"),
    "DUE_LOTS": (
        "smallint, date, uuid, date, boolean, bigint, date, bigint, bigint, bigint",
        f"3::smallint, '2030-01-01', '{LAST_BUT_TWO}', '2030-01-02', true, 1000, '2030-01-01', 0, 1000000, 1000",
    ),
    "DUE_LOTS_PASSED": (
        "smallint, date, uuid, date, int",
        f"3::smallint, '2030-01-01', '{LAST_BUT_TWO}', '2030-01-02', 2",
    ),
    "CHANGE": (
        """smallint, bigint, bytea, bytea, int, int, timestamptz, bigint, smallint, int, tid[], bigint[], bigint[],
        bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint, bytea""",
        f"""3::smallint, (random() * 1e9)::bigint, '', '', 1, 2, now(), 9, 0::smallint, 2,
        ARRAY['(0,7)', '(0,9)']::tid[], {", ".join(["ARRAY[7, 9]::bigint[], ARRAY[1, 1]::bigint[]"] * 3)},
        ARRAY[1, 1]::bigint[], ARRAY[1, 1]::bigint[], NULL, NULL""",
    ),
    "ROLL_UP": (
        "smallint, date, bigint, text[], uuid[], text[], smallint[], bigint[], bigint[], bigint[]",
        """3::smallint, '2026-01-10', 2, ARRAY['131032', '131032'], ARRAY[md5('a'), md5('b')]::uuid[],
        ARRAY['reserve', 'reserve'], ARRAY[1, 1]::smallint[], ARRAY[1, 1]::bigint[], ARRAY[1, 1]::bigint[],
        ARRAY[1, 1]::bigint[]""",
    ),
    "POSTINGS": ("uuid, bigint, int, bigint, smallint", "md5('7')::uuid, 9, 0, 50, 3::smallint"),
}
"""Statements, and arguments that are about two rows each."""
SQL: Final = vars(statements) | vars(history_statements)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """As a component's are; no statistics come meanwhile, after which PostgreSQL would plan anew."""
    made = await asyncpg.connect(database_url, server_settings=SESSION)
    try:
        for table in FILLS:
            await made.execute(f"ALTER TABLE ledger.{table} SET (autovacuum_enabled = off)")
        yield made
    finally:
        await made.close()


def rows_read(plan: Mapping[str, Any]) -> Iterator[float]:
    """Of every node: what it gave, and what it threw away."""
    yield plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    for child in plan.get("Plans", ()):
        yield from rows_read(child)


@pytest.mark.parametrize("few", [0, 10])
@pytest.mark.parametrize("name", TWO)
async def test_two_rows_are_found_without_reading_the_others(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, few: int
) -> None:
    types, values = TWO[name]
    for fill in FILLS.values():
        await connection.execute(fill, 1, few)
    await connection.execute("ANALYZE ledger.contra, ledger.lot, ledger.rollup, ledger.outcome")
    await connection.execute(f"PREPARE asked ({types}) AS {SQL[name]}")
    await connection.execute(f"EXECUTE asked ({values})")
    for fill in FILLS.values():
        await connection.execute(fill, few + 1, ROWS)
    plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT json) EXECUTE asked ({values})"))[0]["Plan"]

    assert max(rows_read(plan)) == 2, json.dumps(plan)
    assert "Seq Scan" not in json.dumps(plan)


@pytest.mark.parametrize("rule", [COUPONS, COUPONS_USED, REVOKED, CORRECTIONS, CORRECTED, HOLDS])
async def test_the_proof_asks_rare_kinds_without_reading_the_others(
    connection: "asyncpg.Connection[asyncpg.Record]", rule: str
) -> None:
    for table in ("outcome", "transfer"):
        await connection.execute(FILLS[table], 1, ROWS)
        await connection.execute(f"ANALYZE ledger.{table}")
    async with connection.transaction():
        await connection.execute(WHOLE_TABLES)
        await connection.execute(f"PREPARE asked (smallint) AS {rule}")
        plan = json.loads(await connection.fetchval("EXPLAIN (ANALYZE, FORMAT json) EXECUTE asked (3)"))[0]["Plan"]

    assert max(rows_read(plan)) <= LANES, json.dumps(plan)
