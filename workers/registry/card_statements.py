"""The SQL of cards and their proofs."""

from typing import Final

PUT_CARD: Final = """
INSERT INTO registry.card (card_id, name_hash, name_sealed, alg, expires_on, first_seen_at, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (name_hash) DO UPDATE SET seen_at = excluded.seen_at
RETURNING card_id
"""

CITIZEN_OF_CARD: Final = """
SELECT citizen_id, superseded_at FROM registry.citizen_card WHERE card_id = $1 AND released_at IS NULL
"""

CITIZEN_OF_PREDECESSOR: Final = """
SELECT h.citizen_id
FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (name_hash, place)
JOIN registry.card AS c USING (name_hash)
JOIN registry.citizen_card AS h ON h.card_id = c.card_id AND h.superseded_at IS NULL AND h.released_at IS NULL
ORDER BY place LIMIT 1
"""

SUPERSEDE: Final = """
UPDATE registry.citizen_card SET superseded_at = $2
WHERE citizen_id = $1 AND superseded_at IS NULL AND released_at IS NULL
"""

ATTACH: Final = """
WITH attached AS (UPDATE registry.card SET registered = true WHERE card_id = $2 RETURNING card_id)
INSERT INTO registry.citizen_card (citizen_id, card_id, registered_at) SELECT $1, card_id, $3 FROM attached
"""
"""The card first, as whoever shows it at the same time has it: the other way round two would wait for each other."""

RELEASE: Final = """
UPDATE registry.citizen_card SET released_at = $2 WHERE citizen_id = ANY ($1::uuid[]) AND released_at IS NULL
"""

PROOF: Final = """
SELECT p.said_hash, p.card_id, p.purpose, p.terminal_id, p.how, p.insertion, p.signature_sealed, p.renewed,
  p.proven_at, p.used_for, c.expires_on, h.citizen_id, h.superseded_at, n.card_id AS noticed_card_id
FROM registry.card_proof AS p
JOIN registry.card AS c USING (card_id)
LEFT JOIN registry.citizen_card AS h ON h.card_id = p.card_id AND h.released_at IS NULL
LEFT JOIN registry.address_notice AS n ON n.citizen_id = h.citizen_id
WHERE p.job_id = $1
"""

LOCKED_PROOF: Final = """
SELECT p.job_id, p.card_id, p.purpose, p.terminal_id, p.how, p.insertion, p.signature_sealed, p.proven_at, p.used_for,
  h.citizen_id, h.superseded_at,
  EXISTS (SELECT FROM registry.removed_card AS r WHERE r.insertion = p.insertion) AS was_removed
FROM registry.card_proof AS p
LEFT JOIN registry.citizen_card AS h ON h.card_id = p.card_id AND h.released_at IS NULL
WHERE p.job_id = $1
FOR UPDATE OF p
"""

PUT_PROOF: Final = """
INSERT INTO registry.card_proof
  (job_id, said_hash, card_id, purpose, terminal_id, how, insertion, signature_sealed, renewed, proven_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

USE_PROOF: Final = "UPDATE registry.card_proof SET used_for = $2 WHERE job_id = $1"

HELD_NOTICE: Final = "SELECT card_id FROM registry.address_notice WHERE citizen_id = $1 FOR UPDATE"

PUT_ADDRESS_NOTICE: Final = """
INSERT INTO registry.address_notice (citizen_id, card_id, signature_sealed, chosen_at, updated_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (citizen_id) DO UPDATE SET
  card_id = excluded.card_id, signature_sealed = excluded.signature_sealed, updated_at = excluded.updated_at
"""

END_ADDRESS_NOTICES: Final = "DELETE FROM registry.address_notice WHERE citizen_id = ANY ($1::uuid[])"

FORGET_PROOFS: Final = """
DELETE FROM registry.card_proof
WHERE job_id IN (SELECT job_id FROM registry.card_proof WHERE proven_at < $1 ORDER BY proven_at LIMIT $2)
"""

FORGET_CARDS: Final = """
DELETE FROM registry.card AS c
WHERE c.card_id IN (
  SELECT card_id FROM registry.card AS old
  WHERE NOT registered AND seen_at < $1
    AND (SELECT count(*) FROM registry.citizen_card AS h WHERE h.card_id = old.card_id) = 0
  ORDER BY seen_at LIMIT $2)
  AND NOT c.registered AND c.seen_at < $1
"""
"""`registered` finds the few there are. An earlier release beside this one does not keep it, so that holders are looked
for too: counted, which is done card by card. The card itself is asked again, as somebody may show it just then.
"""
