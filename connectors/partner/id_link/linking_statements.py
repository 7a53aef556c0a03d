"""The SQL of linkings and linked accounts."""

from typing import Final

SET_UP: Final = """
INSERT INTO partner.linkage (party_id, provider, membership) VALUES ($1, $2::jsonb, $3::jsonb)
ON CONFLICT (party_id) DO UPDATE SET provider = excluded.provider, membership = excluded.membership
"""

LINKAGE: Final = "SELECT provider::text, membership::text FROM partner.linkage WHERE party_id = $1"

BEGIN: Final = """
INSERT INTO partner.linking (linking_id, party_id, citizen_id, browser, state_hash, stage, secrets_sealed, ends_at)
VALUES ($1, $2, $3, $4, $5, 'begun', $6, $7)
ON CONFLICT (linking_id) DO UPDATE SET state_hash = excluded.state_hash, secrets_sealed = excluded.secrets_sealed
WHERE linking.stage = 'begun' AND linking.citizen_id = excluded.citizen_id
RETURNING 1
"""

ANSWER: Final = """
UPDATE partner.linking SET stage = 'answered', answer_hash = $3, proof_sealed = $4, answer_until = $6
WHERE state_hash = $1 AND party_id = $2 AND stage = 'begun' AND ends_at > $5
RETURNING linking_id
"""

BEGUN: Final = """
SELECT linking_id FROM partner.linking WHERE state_hash = $1 AND party_id = $2 AND stage = 'begun' AND ends_at > $3
"""

TAKE: Final = """
UPDATE partner.linking SET stage = 'taken'
WHERE state_hash = $1 AND party_id = $2 AND citizen_id = $3 AND browser = $4 AND stage IN ('begun', 'answered')
  AND least(ends_at, answer_until) > $5
RETURNING linking_id, secrets_sealed, answer_hash, proof_sealed
"""

PROVEN: Final = """
UPDATE partner.linking SET stage = 'proven', proof_sealed = $2, account_hash = $3
WHERE linking_id = $1 AND stage = 'taken'
"""

CONFIRMABLE: Final = """
SELECT party_id, proof_sealed, account_hash FROM partner.linking
WHERE linking_id = $1 AND citizen_id = $2 AND browser = $3 AND stage = 'proven' AND ends_at > $4
"""

KEEP_ACCOUNT: Final = """
INSERT INTO partner.account (linking_id, party_id, citizen_id, proof_sealed, kept_at)
SELECT linking_id, $2, $3, $4, $5 FROM partner.linking WHERE linking_id = $1
ON CONFLICT (linking_id) DO NOTHING
"""
"""Not where somebody has ended the linking meanwhile: its tokens have gone back."""

END_ACCOUNTS: Final = """
UPDATE partner.account AS a SET ended_at = $4
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS gone (party_id, citizen_id, ended_at)
WHERE a.citizen_id = gone.citizen_id AND a.party_id = gone.party_id AND a.ended_at IS NULL
  AND coalesce(a.kept_at < gone.ended_at, true)
RETURNING a.linking_id, a.party_id, a.citizen_id
"""

END_ACCOUNT: Final = """
UPDATE partner.account SET ended_at = $2 WHERE linking_id = $1 AND ended_at IS NULL RETURNING party_id
"""

FORGET_ENDED_LINKINGS: Final = """
DELETE FROM partner.linking AS l
USING partner.account AS a, unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS gone (party_id, citizen_id, ended_at)
WHERE l.linking_id = a.linking_id
  AND a.citizen_id = gone.citizen_id AND a.party_id = gone.party_id AND a.ended_at IS NULL
  AND coalesce(a.kept_at < gone.ended_at, true)
"""
"""Those whose accounts end: left, their tokens would be given back once more."""

END_LINKINGS: Final = """
UPDATE partner.linking AS l SET ends_at = $4
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS gone (party_id, citizen_id, ended_at)
WHERE l.citizen_id = gone.citizen_id AND l.party_id = gone.party_id AND l.ends_at > $4
  AND coalesce(l.ends_at - $5::interval < gone.ended_at, true)
"""
"""Those that had begun before the link ended, $5 before they would end by themselves."""

LEFT_LINKINGS: Final = """
SELECT linking_id, party_id, citizen_id, proof_sealed, account_hash, ends_at FROM partner.linking
WHERE stage = 'proven' AND ends_at < $1 ORDER BY ends_at LIMIT $2
"""

FORGET_LINKING: Final = "DELETE FROM partner.linking WHERE linking_id = $1"

ENDED_ACCOUNT: Final = """
SELECT proof_sealed FROM partner.account WHERE linking_id = $1 AND ended_at IS NOT NULL
"""

FORGET_ACCOUNT: Final = "DELETE FROM partner.account WHERE linking_id = $1 AND ended_at IS NOT NULL"

FORGET_LINKINGS: Final = """
DELETE FROM partner.linking
WHERE linking_id IN (
  SELECT linking_id FROM partner.linking WHERE ends_at < $1 AND stage <> 'proven' ORDER BY ends_at LIMIT $2)
"""
"""A proven one has tokens, which are given back first."""
