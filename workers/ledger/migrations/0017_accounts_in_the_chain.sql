-- Whose an account is, of which pool and until when, is written once and never changed; so the chain covers it, and the
-- ledger's own role cannot change it.
ALTER TABLE ledger.block
    ADD COLUMN first_account bigint,
    ADD COLUMN until_account bigint,
    ADD COLUMN accounts_hash bytea,
    ADD CHECK (num_nulls(first_account, until_account, accounts_hash) IN (0, 3)),
    ADD CHECK (first_account < until_account);
COMMENT ON COLUMN ledger.block.first_account IS 'The accounts that the block opened have the numbers from here on; null where it opened none, and in blocks of earlier versions.';
COMMENT ON COLUMN ledger.block.until_account IS 'And below this one.';
COMMENT ON COLUMN ledger.block.accounts_hash IS 'SHA-256 over the lines of these accounts; the block''s own hash covers it.';

REVOKE UPDATE ON ledger.lot, ledger.contra FROM mykey_ledger;
GRANT UPDATE (balance) ON ledger.lot, ledger.contra TO mykey_ledger;
