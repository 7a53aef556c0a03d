-- Signed checkpoints: where all chains had come to, hour by hour (docs/contracts/ledger.md).

CREATE TABLE ledger.checkpoint (
    number bigint PRIMARY KEY,
    made_at timestamptz NOT NULL,
    document json NOT NULL
);
COMMENT ON COLUMN ledger.checkpoint.document IS 'As it was mailed, byte for byte: json, not jsonb, keeps the text.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

GRANT SELECT, INSERT ON ledger.checkpoint TO mykey_ledger;
