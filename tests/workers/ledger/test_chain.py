"""The chain as a municipality would check it: by SHA-256 over text, with none of our code."""

import hashlib

import asyncpg

from hub.process import HubProcess
from tests.workers.ledger.world import FOREVER, ask_all, citizen, credit, refusal, use
from tests.workers.ledger.world_holds import authorise, capture, hold_of, issue, redeem

OUTCOME_LINES = """
SELECT o.block, concat_ws(E'\\t', 'o', o.number, replace(o.party_id::text, '-', ''), o.command_id,
    encode(o.request_hash, 'hex'), replace(o.citizen_id::text, '-', ''), o.kind, coalesce(o.code, ''), o.points,
    o.balances, o.posted_on, replace(o.hold_id::text, '-', ''), encode(o.hold_terms, 'hex')) AS line
FROM ledger.outcome AS o WHERE o.partition = 0 ORDER BY o.block, o.number
"""
TRANSFER_LINES = """
SELECT t.block, concat_ws(E'\\t', 't', t.line, t.outcome, t.kind, t.debit, t.credit, t.points, t.business_date) AS line
FROM ledger.transfer AS t WHERE t.partition = 0 ORDER BY t.block, t.line
"""
ACCOUNT_LINES = """
SELECT account, concat_ws(E'\\t', 'a', account, replace(citizen_id::text, '-', ''), pool,
    replace(expires_on::text, 'infinity', '9999-12-31'), replace(origin::text, '-', '')) AS line
FROM ledger.lot WHERE partition = 0
UNION ALL SELECT account, concat_ws(E'\\t', 'a', account, name) FROM ledger.contra WHERE partition = 0
ORDER BY account
"""
BLOCKS = """
SELECT block, hash, first_account, until_account, concat(E'\\t' || first_account, E'\\t' || until_account) AS span
FROM ledger.block WHERE partition = 0 ORDER BY block
"""

TERMS = """
SELECT concat_ws(E'\\t', replace(h.hold_id::text, '-', ''), h.kind, replace(h.citizen_id::text, '-', ''),
    replace(h.counterparty_id::text, '-', ''), h.lg_code, h.pool, h.points,
    to_char(h.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), h.number,
    concat_ws('/', replace(h.part_expires_on[1]::text, 'infinity', '9999-12-31'),
        replace(h.part_origins[1]::text, '-', ''), h.part_points[1])) AS terms, o.hold_terms
FROM ledger.hold AS h JOIN ledger.outcome AS o ON o.hold_id = h.hold_id AND o.hold_terms IS NOT NULL
"""


async def test_the_chain_is_plain_text_hashed(ledger: HubProcess, database_url: str) -> None:
    me = citizen(1)
    for n in range(5):
        await ask_all(ledger, credit(f"c{n}", me, 10, FOREVER), use(f"u{n}", me, 7), refusal(f"r{n}", me))
    await ask_all(ledger, issue("v", me, 2), redeem("d", me, "v"), authorise("o", me, 99), capture("p", me, "o"))
    connection = await asyncpg.connect(database_url)
    try:
        blocks, accounts = await connection.fetch(BLOCKS), await connection.fetch(ACCOUNT_LINES)
        lines = [*await connection.fetch(OUTCOME_LINES), *await connection.fetch(TRANSFER_LINES)]
        vouchers = await connection.fetch(TERMS)
    finally:
        await connection.close()
    previous = "00"
    for row in blocks:
        opened = range(row["first_account"] or 0, row["until_account"] or 0)
        digest = hashlib.sha256("".join(f"{one['line']}\n" for one in accounts if one["account"] in opened).encode())
        head = f"{row['span']}\t{digest.hexdigest()}" if opened else ""
        own = "".join(f"{line['line']}\n" for line in lines if line["block"] == row["block"])
        previous = hashlib.sha256(f"b\t0\t{row['block']}\t{previous}{head}\n{own}".encode()).hexdigest()
        assert row["hash"].hex() == previous
    assert len(blocks) == 6
    assert sum(row["span"] != "" for row in blocks) == 2, "those that opened accounts"
    assert len([line for line in lines if hold_of("v").hex in line["line"]]) == 2
    assert [hashlib.sha256(row["terms"].encode()).digest() for row in vouchers] == [
        row["hold_terms"] for row in vouchers
    ]
    assert len(vouchers) == 1
