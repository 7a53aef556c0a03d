"""The SQL of the schema `sandbox`."""

from typing import Final

PARTY_BY_HASH: Final = "SELECT party_id, kind, name, event_id FROM sandbox.party WHERE token_hash = $1"
COUNT: Final = "SELECT count(*) FROM sandbox.party"
ADD_PARTY: Final = """
INSERT INTO sandbox.party (party_id, kind, name, token_hash, event_id, issued_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
NEXT_KEY: Final = "UPDATE sandbox.party SET keys = keys + 1 WHERE party_id = $1 RETURNING keys"
ADD_CITIZENS: Final = """
INSERT INTO sandbox.citizen (party_id, link_id, citizen_id, mykey_id)
SELECT $1, * FROM unnest($2::text[], $3::uuid[], $4::text[])
"""
CITIZENS: Final = """
SELECT link_id, citizen_id, mykey_id FROM sandbox.citizen WHERE party_id = $1 ORDER BY citizen_id, link_id
"""
