"""The SQL of moving a partition from one database to another: by the owner, while the hub's processes are stopped."""

from typing import Final, NamedTuple

from workers.ledger.state_statements import HOLD_COLUMNS
from workers.ledger.statements import LOT_COLUMNS, OUTCOME_COLUMNS, TRANSFER_COLUMNS


class Moved(NamedTuple):
    """A table whose rows of a partition move: how they are read, by their columns, and how they leave."""

    table: str
    columns: tuple[str, ...]
    read: str
    leave: str


MOVED: Final = (
    Moved(
        "ledger.correction",
        ("party_id", "command_id", "corrected_on", "partition", "block", "number"),
        """
SELECT c.party_id, c.command_id, c.corrected_on, c.partition, c.block, c.number FROM ledger.correction AS c
JOIN ledger.outcome AS o ON o.party_id = c.party_id AND o.command_id = c.command_id WHERE o.partition = $1
""",
        """
DELETE FROM ledger.correction AS c USING ledger.outcome AS o
WHERE o.party_id = c.party_id AND o.command_id = c.command_id AND o.partition = $1
""",
    ),
    Moved(
        "ledger.block",
        (
            "partition", "block", "previous", "hash", "outcomes", "transfers", "posted_at", "first_account",
            "until_account", "accounts_hash",
        ),
        """
SELECT partition, block, previous, hash, outcomes, transfers, posted_at, first_account, until_account,
    accounts_hash
FROM ledger.block WHERE partition = $1
""",
        "DELETE FROM ledger.block WHERE partition = $1",
    ),
    Moved(
        "ledger.outcome",
        OUTCOME_COLUMNS,
        """
SELECT party_id, command_id, request_hash, partition, block, number, citizen_id, kind, code, points, balances,
    posted_on, hold_id, hold_terms, volume
FROM ledger.outcome WHERE partition = $1
""",
        "DELETE FROM ledger.outcome WHERE partition = $1",
    ),
    Moved(
        "ledger.transfer",
        TRANSFER_COLUMNS,
        """
SELECT partition, block, line, outcome, kind, debit, credit, points, business_date FROM ledger.transfer
WHERE partition = $1
""",
        "DELETE FROM ledger.transfer WHERE partition = $1",
    ),
    Moved(
        "ledger.lot",
        LOT_COLUMNS,
        "SELECT partition, account, citizen_id, pool, expires_on, origin, balance FROM ledger.lot WHERE partition = $1",
        "DELETE FROM ledger.lot WHERE partition = $1",
    ),
    Moved(
        "ledger.contra",
        ("partition", "account", "name", "party_id", "balance"),
        "SELECT partition, account, name, party_id, balance FROM ledger.contra WHERE partition = $1",
        "DELETE FROM ledger.contra WHERE partition = $1",
    ),
    Moved(
        "ledger.rollup",
        (
            "partition", "day", "lg_code", "counterparty_id", "pool", "kind", "transfers", "points", "transactions",
            "first_block", "last_block", "blocks",
        ),
        """
SELECT partition, day, lg_code, counterparty_id, pool, kind, transfers, points, transactions, first_block, last_block,
    blocks
FROM ledger.rollup WHERE partition = $1
""",
        "DELETE FROM ledger.rollup WHERE partition = $1",
    ),
    Moved(
        "ledger.hold",
        HOLD_COLUMNS,
        """
SELECT partition, hold_id, kind, state, citizen_id, counterparty_id, lg_code, pool, points, remaining, taken, refunded,
    expires_at, number, sealed_code, part_expires_on, part_origins, part_points, opened_at
FROM ledger.hold WHERE partition = $1
""",
        "DELETE FROM ledger.hold WHERE partition = $1",
    ),
    Moved(
        "ledger.revoked",
        ("citizen_id", "revoked_on"),
        "SELECT citizen_id, revoked_on FROM ledger.revoked WHERE get_byte(uuid_send(citizen_id), 15) & 15 = $1",
        "DELETE FROM ledger.revoked WHERE get_byte(uuid_send(citizen_id), 15) & 15 = $1",
    ),
)  # fmt: skip
"""In the order in which they leave: a correction is found by what it is about."""
COUPON_COLUMNS: Final = ("party_id", "code_hash", "points", "pool", "last", "used_by", "used_on", "voided_on", "online")
USED_COUPONS: Final = """
SELECT party_id, code_hash, points, pool, last, used_by, used_on, voided_on, online FROM ledger.coupon
WHERE used_by IS NOT NULL AND get_byte(uuid_send(used_by), 15) & 15 = $1
"""
"""They stay where they are as well: that is where all coupons are used up."""
LEAVE_COUPONS: Final = "DELETE FROM ledger.coupon WHERE get_byte(uuid_send(used_by), 15) & 15 = $1"

AT_WORK: Final = """
SELECT count(*) FROM hub.lane
WHERE split_part(receiver, '.', 1) = 'ledger' AND owner IS NOT NULL AND lease_until > now()
"""
MOVING: Final = """
SELECT set_config('mykey.moving_partition', 'on', true), set_config('enable_seqscan', 'on', true),
    set_config('idle_in_transaction_session_timeout', '0', true)
"""
HEAD: Final = """
SELECT block, hash, next_account, closed_to, volume, volume_outcomes, elsewhere FROM ledger.head
WHERE partition = $1 FOR UPDATE
"""
ARRIVE: Final = """
UPDATE ledger.head SET block = $2, hash = $3, next_account = $4, closed_to = $5, volume = $6, volume_outcomes = $7,
    elsewhere = $8
WHERE partition = $1
"""
"""Still elsewhere, until it has left the other database."""
LEAVE: Final = """
UPDATE ledger.head SET block = 0, hash = '\\x00', next_account = 1, volume = 0, volume_outcomes = 0, elsewhere = $2
WHERE partition = $1
"""
HAS_BLOCK: Final = """
SELECT EXISTS (SELECT FROM ledger.block WHERE partition = $1 AND block = $2 AND hash = $3)
"""
CLAIM_NOTHING: Final = "TRUNCATE ledger.command_claim, ledger.hold_claim"
"""Everything lives in the hub's own database again, whose keys are unique by themselves."""
LIVE_HERE: Final = "UPDATE ledger.head SET elsewhere = NULL WHERE partition = $1"
CHECKPOINTS: Final = "SELECT number, made_at, document FROM ledger.checkpoint ORDER BY number"
KEEP_CHECKPOINT: Final = """
INSERT INTO ledger.checkpoint (number, made_at, document) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""

CLOSED_DAYS: Final = "SELECT day, closed_at FROM ledger.closed_day"
CLOSED_MONTHS: Final = "SELECT month, closed_at FROM ledger.closed_month"
KEEP_DAY: Final = "INSERT INTO ledger.closed_day (day, closed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
KEEP_MONTH: Final = "INSERT INTO ledger.closed_month (month, closed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
SHUT: Final = """
UPDATE ledger.head SET closed_to = c.day FROM (SELECT max(day) AS day FROM ledger.closed_day) AS c
WHERE closed_to < c.day
"""
SUM_AGAIN: Final = (
    "DELETE FROM ledger.day_rollup",
    "DELETE FROM ledger.month_rollup",
    """
INSERT INTO ledger.day_rollup (day, lg_code, counterparty_id, pool, kind, transfers, points, transactions)
SELECT r.day, r.lg_code, r.counterparty_id, r.pool, r.kind, sum(r.transfers), sum(r.points), sum(r.transactions)
FROM ledger.closed_day AS c JOIN ledger.rollup AS r ON r.day = c.day
GROUP BY r.day, r.lg_code, r.counterparty_id, r.pool, r.kind
ORDER BY r.day, r.counterparty_id, r.pool, r.kind, r.lg_code
""",
    """
INSERT INTO ledger.month_rollup (month, lg_code, counterparty_id, pool, kind, transfers, points, transactions)
SELECT c.month, r.lg_code, r.counterparty_id, r.pool, r.kind, sum(r.transfers), sum(r.points), sum(r.transactions)
FROM ledger.closed_month AS c
JOIN ledger.day_rollup AS r ON r.day >= c.month AND r.day < c.month + interval '1 month'
GROUP BY c.month, r.lg_code, r.counterparty_id, r.pool, r.kind
ORDER BY c.month, r.counterparty_id, r.pool, r.kind, r.lg_code
""",
)
"""The closed days and months of the partitions that live here now."""
