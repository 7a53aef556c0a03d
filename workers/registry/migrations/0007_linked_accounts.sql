-- Accounts that citizens have linked themselves (ID連携): keyed hash over issuer and subject, one citizen each.
ALTER TABLE link ADD COLUMN account_hash bytea CHECK (length(account_hash) = 32);
CREATE UNIQUE INDEX link_by_account ON link (party_id, account_hash) WHERE account_hash IS NOT NULL;
