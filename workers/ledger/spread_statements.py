"""The SQL of partitions in several databases: who lives where, and what is claimed in the hub's own."""

from typing import Final

PLACE: Final = "SELECT id FROM ledger.place"
ELSEWHERE: Final = "SELECT partition, elsewhere FROM ledger.head WHERE elsewhere IS NOT NULL ORDER BY partition"
BEGUN: Final = "SELECT partition, block > 0 AS has_begun, elsewhere FROM ledger.head ORDER BY partition FOR UPDATE"
GIVE_AWAY: Final = "UPDATE ledger.head SET elsewhere = $2 WHERE partition = ANY ($1::smallint[])"
POOLS: Final = (
    "SELECT pool, lg_code, expiry_rule, first, last, usable_in, scheme_revision FROM ledger.pool ORDER BY revision"
)
CLAIM_EARLIER: Final = """
WITH holds AS (
    INSERT INTO ledger.hold_claim (hold_id, partition, number)
    SELECT hold_id, partition, CASE WHEN state = 'open' THEN number END FROM ledger.hold
)
INSERT INTO ledger.command_claim (party_id, command_id, partition)
SELECT party_id, command_id, partition FROM ledger.outcome
"""
"""What was posted before there was a second database."""

CLAIM_COMMANDS: Final = """
INSERT INTO ledger.command_claim (party_id, command_id, partition)
SELECT u.party_id, u.command_id, $3 FROM unnest($1::uuid[], $2::text[]) AS u (party_id, command_id)
ORDER BY u.party_id, u.command_id
ON CONFLICT DO NOTHING
"""
"""In one order, so that two who claim the same wait for one another and not each for the other."""
CLAIMED_ELSEWHERE: Final = """
SELECT c.partition, c.party_id, c.command_id FROM unnest($1::uuid[], $2::text[]) AS u (party_id, command_id)
CROSS JOIN LATERAL (
    SELECT partition, party_id, command_id FROM ledger.command_claim
    WHERE party_id = u.party_id AND command_id = u.command_id LIMIT 1
) AS c
WHERE c.partition <> $3
"""
KEEP_USED_COUPONS: Final = """
INSERT INTO ledger.coupon (party_id, code_hash, points, pool, last, used_by, used_on)
SELECT u.party_id, u.code_hash, u.points, u.pool, u.last, u.used_by, $7
FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::text[], $5::date[], $6::uuid[])
    AS u (party_id, code_hash, points, pool, last, used_by)
"""
"""The proof of a partition's books finds the coupons that its citizens have used beside them."""
NUMBERS_CLAIMED: Final = "SELECT number FROM ledger.hold_claim WHERE number = ANY ($1::text[])"
HOLDS_ELSEWHERE: Final = (
    "SELECT hold_id, partition FROM ledger.hold_claim WHERE hold_id = ANY ($1::uuid[]) AND partition <> $2"
)
CLAIM_HOLDS: Final = """
INSERT INTO ledger.hold_claim (hold_id, partition, number)
SELECT u.hold_id, $3, u.number FROM unnest($1::uuid[], $2::text[]) AS u (hold_id, number)
ORDER BY u.hold_id
ON CONFLICT DO NOTHING RETURNING hold_id
"""
"""Fewer come back than were asked for where another partition was quicker."""
FREE_NUMBERS: Final = "UPDATE ledger.hold_claim SET number = NULL WHERE hold_id = ANY ($1::uuid[])"
