-- A street's signing key can be ended.

ALTER TABLE signer ADD COLUMN ends_at timestamptz;
COMMENT ON COLUMN signer.ends_at IS 'The first moment at which nothing is signed with it any more; it may be drawn nearer, never put off.';
