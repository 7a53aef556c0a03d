"""The SQL of MyKey IDs changed and revoked."""

from typing import Final

LOCK_CITIZEN: Final = "SELECT revoked_at FROM registry.citizen WHERE citizen_id = $1 FOR UPDATE"

LOCK_MYKEY_ID: Final = """
SELECT mykey_hash FROM registry.citizen WHERE citizen_id = $1 AND revoked_at IS NULL FOR UPDATE
"""

KEPT_FOR: Final = "SELECT enrolment_id FROM registry.enrolment WHERE candidate_hash = $1"

IS_USED: Final = "SELECT 1 FROM registry.used_mykey_id WHERE mykey_hash = $1"

USE_MYKEY_ID: Final = "INSERT INTO registry.used_mykey_id (mykey_hash) VALUES ($1)"

CHANGE_MYKEY_ID: Final = "UPDATE registry.citizen SET mykey_hash = $2, mykey_sealed = $3 WHERE citizen_id = $1"

END_ENROLMENT: Final = "DELETE FROM registry.enrolment WHERE enrolment_id = $1"

REVOKE: Final = """
UPDATE registry.citizen
SET revoked_at = $2, password_sealed = NULL, mykey_sealed = '', name_sealed = '', mail_sealed = ''
WHERE citizen_id = $1
"""
"""What is left is keyed hashes: the MyKey ID is given to nobody else, and the same asked again is answered the same."""

UNLINK: Final = "DELETE FROM registry.link WHERE citizen_id = $1 RETURNING citizen_id, party_id, link_id"
