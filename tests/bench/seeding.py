"""Three million lots beforehand, set-based, with the journal, the chain and the rollups behind them.

Not by the ledger's own writer (that would take minutes), but the same rows: the books add up and the chain verifies.
One block a partition, one outcome a citizen, one transfer a lot; all of it came from one partner, on one day. The
indexes of `lot` are built after the rows, as a restore does.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

import asyncpg

from schemas.values import NO_ORIGIN
from tests.bench import world

HELD_DAYS: Final = 20

SESSION: Final = "SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'; SET timezone = 'UTC'"
POOLS: Final = """
INSERT INTO ledger.pool (pool, lg_code, expiry_rule, usable_in)
SELECT 'scheme:' || code, code, $2, ARRAY[code] FROM unnest($1::text[]) AS code
"""
CITIZEN_TABLE: Final = """
CREATE UNLOGGED TABLE bench_citizen (n int, citizen_id uuid, partition smallint, number int, lg_code text)
"""
CITIZENS: Final = """
INSERT INTO bench_citizen
SELECT n, citizen_id, partition, row_number() OVER (PARTITION BY partition ORDER BY n) - 1, code
FROM (
    SELECT n, id AS citizen_id, get_byte(uuid_send(id), 15) & 15 AS partition,
        ($2::text[])[n % array_length($2::text[], 1) + 1] AS code
    FROM (SELECT n, md5(n::text)::uuid AS id FROM generate_series(0, $1::int - 1) AS n) AS numbered
) AS placed
"""
DROP_INDEXES: Final = """
DROP INDEX ledger.lot_citizen, ledger.lot_expiry;
ALTER TABLE ledger.lot DROP CONSTRAINT lot_pkey;
"""
# Lot by lot, so that a citizen's lots lie far apart, as lots that came in over time do. The numbers follow the
# citizens: account 1 is the contra account, then every citizen's lots side by side.
LOTS: Final = """
INSERT INTO ledger.lot (partition, account, citizen_id, pool, expires_on, origin, balance)
SELECT partition, 1 + number * $5::int + m.n, citizen_id,
    CASE WHEN m.n < $5 THEN 'scheme:' || lg_code ELSE 'reserve' END, m.expires_on,
    CASE WHEN m.n < $5 THEN $3::uuid ELSE $4::uuid END, $2::bigint
FROM unnest($1::date[]) WITH ORDINALITY AS m (expires_on, n) CROSS JOIN bench_citizen
ORDER BY m.n, bench_citizen.n
"""
INDEXES_OF_LOT: Final = """
ALTER TABLE ledger.lot ADD PRIMARY KEY (partition, account);
CREATE INDEX lot_citizen ON ledger.lot (citizen_id, pool);
CREATE INDEX lot_expiry ON ledger.lot (partition, expires_on, citizen_id) WHERE expires_on < 'infinity';
"""
TRANSFERS: Final = """
INSERT INTO ledger.transfer (partition, block, line, outcome, kind, debit, credit, points, business_date)
SELECT partition, 1, number * $2::int + m, number, 1, 1, 2 + number * $2::int + m, $1, $3
FROM bench_citizen CROSS JOIN generate_series(0, $2::int - 1) AS m
ORDER BY partition, number, m
"""
OUTCOMES: Final = """
INSERT INTO ledger.outcome (party_id, command_id, request_hash, partition, block, number, citizen_id, kind, points,
    balances, posted_on)
SELECT $1, 'seed-' || n, decode(repeat('00', 16), 'hex'), partition, 1, number, citizen_id, 1, $2, '{}', $3
FROM bench_citizen ORDER BY n
"""
CONTRAS: Final = """
INSERT INTO ledger.contra (partition, account, name, party_id, balance)
SELECT partition, 1, 'partner:' || replace($1::uuid::text, '-', ''), $1, -($2::bigint) * count(*)
FROM bench_citizen GROUP BY partition
"""
ROLLUPS: Final = """
INSERT INTO ledger.rollup
SELECT partition, $4::date, lg_code, $1::uuid, 'scheme:' || lg_code, 1, $3::bigint * count(*),
    $2::bigint * $3::bigint * count(*), count(*), 1, 1, '{1}'::bigint[]
FROM bench_citizen GROUP BY partition, lg_code
UNION ALL
SELECT partition, $4, '', $1, 'reserve', 1, count(*), $2::bigint * count(*), count(*), 1, 1, '{1}'::bigint[]
FROM bench_citizen GROUP BY partition
"""
BLOCKS: Final = r"""
INSERT INTO ledger.block (partition, block, previous, hash, outcomes, transfers, posted_at)
SELECT o.partition, 1, '\x00', sha256(convert_to(
    E'b\t' || o.partition || E'\t1\t00\n' || o.lines || t.lines, 'UTF8')), o.n, t.n, $1
FROM (
    SELECT partition, count(*) AS n, string_agg(concat_ws(E'\t', 'o', number, replace(party_id::text, '-', ''),
        command_id, encode(request_hash, 'hex'), replace(citizen_id::text, '-', ''), kind, coalesce(code, ''),
        points, balances, posted_on) || E'\n', '' ORDER BY number) AS lines
    FROM ledger.outcome GROUP BY partition
) AS o
JOIN (
    SELECT partition, count(*) AS n, string_agg(concat_ws(E'\t', 't', line, outcome, kind, debit, credit, points,
        business_date) || E'\n', '' ORDER BY line) AS lines
    FROM ledger.transfer GROUP BY partition
) AS t ON t.partition = o.partition
"""
HEADS: Final = """
UPDATE ledger.head AS h SET block = 1, hash = b.hash, next_account = 2 + b.transfers
FROM ledger.block AS b WHERE b.partition = h.partition AND b.block = 1
"""
LINKS: Final = """
INSERT INTO registry.link (party_id, link_id, citizen_id, linked_at)
SELECT party_id, 'm-' || n, citizen_id, $2 FROM bench_citizen CROSS JOIN unnest($1::uuid[]) AS party_id
WHERE n < $3 ORDER BY party_id, n
"""
RECIPIENTS_WITHOUT_CHOICE: Final = """
INSERT INTO mail.recipient (citizen_id, name_sealed, address_sealed, state, on_grant, on_expiry, on_password_change,
    on_mykey_id_change)
SELECT citizen_id, '', '', 'ok', false, false, false, false FROM bench_citizen WHERE n < $1
"""
LINKED_CITIZENS: Final = 100_000


async def seed(connection: "asyncpg.Connection[Any]", citizens: int, now: datetime, today: date) -> None:
    """Put everything into empty tables."""
    each, points = world.LOTS_EACH, world.LOT_POINTS
    dates = [*world.scheme_lot_dates(today), today + timedelta(days=HELD_DAYS)]
    run = connection.execute
    await run(SESSION)
    async with connection.transaction():
        await run(POOLS, world.LG_CODES, world.EXPIRY_RULE)
        await run(CITIZEN_TABLE)
        await run(CITIZENS, citizens, world.LG_CODES)
        await run(DROP_INDEXES)
        await run(LOTS, dates, points, NO_ORIGIN, world.SEED_PARTY, each)
        await run(INDEXES_OF_LOT)
        await run(TRANSFERS, points, each, today)
        await run(OUTCOMES, world.SEED_PARTY, points * each, today)
        await run(CONTRAS, world.SEED_PARTY, points * each)
        await run(ROLLUPS, world.SEED_PARTY, points, each - 1, today)
        await run(BLOCKS, now)
        await run(HEADS)
        # The linked citizens' own rows in the registry play no part, so their foreign keys are not looked at.
        await run("SET LOCAL session_replication_role = replica")
        await run(LINKS, [*world.PARTNER_IDS, world.SHOP], now, LINKED_CITIZENS)
        await run(RECIPIENTS_WITHOUT_CHOICE, LINKED_CITIZENS)
        await run("DROP TABLE bench_citizen")
    await run("VACUUM ANALYZE")
