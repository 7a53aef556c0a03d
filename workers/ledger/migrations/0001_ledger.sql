-- The ledger (docs/architecture.md, "The ledger"). The role mykey_ledger may add to the journal, never change it.

CREATE TABLE ledger.head (
    partition smallint PRIMARY KEY,
    block bigint NOT NULL,
    hash bytea NOT NULL,
    next_account bigint NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE ledger.head IS 'The end of each partition''s chain; its row lock makes one writer at a time.';
INSERT INTO ledger.head SELECT p, 0, '\x00', 1 FROM generate_series(0, 15) AS p;

CREATE TABLE ledger.block (
    partition smallint NOT NULL,
    block bigint NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    outcomes int NOT NULL,
    transfers int NOT NULL,
    posted_at timestamptz NOT NULL,
    PRIMARY KEY (partition, block)
);
COMMENT ON TABLE ledger.block IS 'One a transaction: SHA-256 over the previous hash and the lines of its outcomes and transfers.';

CREATE TABLE ledger.transfer (
    partition smallint NOT NULL,
    block bigint NOT NULL,
    line int NOT NULL,
    outcome int NOT NULL,
    kind smallint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL CHECK (credit <> debit),
    points bigint NOT NULL CHECK (points > 0),
    business_date date NOT NULL,
    PRIMARY KEY (partition, block, line)
);
COMMENT ON TABLE ledger.transfer IS 'The journal. `outcome` is the number, within the block, of the command that caused it.';

CREATE TABLE ledger.outcome (
    party_id uuid NOT NULL,
    command_id text NOT NULL,
    request_hash bytea NOT NULL,
    partition smallint NOT NULL,
    block bigint NOT NULL,
    number int NOT NULL,
    citizen_id uuid NOT NULL,
    kind smallint NOT NULL,
    code text,
    points bigint NOT NULL,
    balances json NOT NULL,
    posted_on date NOT NULL,
    PRIMARY KEY (party_id, command_id)
);
COMMENT ON TABLE ledger.outcome IS 'The one outcome of every command, refusals included, for ever.';

CREATE TABLE ledger.lot (
    partition smallint NOT NULL,
    account bigint NOT NULL,
    citizen_id uuid NOT NULL,
    pool text NOT NULL,
    expires_on date NOT NULL,
    origin uuid NOT NULL,
    balance bigint NOT NULL CHECK (balance >= 0),
    PRIMARY KEY (partition, account)
) WITH (fillfactor = 70);
COMMENT ON COLUMN ledger.lot.expires_on IS 'The last day: of use, or for reserve points of being held.';
CREATE INDEX lot_citizen ON ledger.lot (citizen_id);
CREATE INDEX lot_expiry ON ledger.lot (partition, expires_on, citizen_id) WHERE expires_on < 'infinity';

CREATE TABLE ledger.contra (
    partition smallint NOT NULL,
    account bigint NOT NULL,
    name text NOT NULL,
    party_id uuid,
    balance bigint NOT NULL,
    PRIMARY KEY (partition, name)
) WITH (fillfactor = 50);
COMMENT ON TABLE ledger.contra IS 'Accounts that may go either way: partners, stores, expired points; one a partition.';

CREATE TABLE ledger.rollup (
    partition smallint NOT NULL,
    day date NOT NULL,
    lg_code text NOT NULL,
    counterparty_id uuid NOT NULL,
    pool text NOT NULL,
    kind smallint NOT NULL,
    transfers bigint NOT NULL,
    points bigint NOT NULL,
    PRIMARY KEY (partition, day, lg_code, counterparty_id, pool, kind)
) WITH (fillfactor = 50);
COMMENT ON COLUMN ledger.rollup.lg_code IS 'Empty for points that went to reserve: their municipality is not chosen yet.';
CREATE INDEX rollup_counterparty ON ledger.rollup (counterparty_id, day);
CREATE INDEX rollup_municipality ON ledger.rollup (lg_code, day);

CREATE TABLE ledger.pool (
    pool text PRIMARY KEY,
    lg_code text NOT NULL,
    expiry_rule text NOT NULL,
    first date NOT NULL DEFAULT '-infinity',
    last date NOT NULL DEFAULT 'infinity',
    usable_in text[] NOT NULL,
    revision bigint GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE ledger.pool IS 'Schemes and events as the registry says they are.';
CREATE INDEX pool_revision ON ledger.pool (revision);

-- What is written stays written: by grants, and by triggers for whoever has more than the grants.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the journal is append-only', tg_op, tg_table_schema, tg_table_name
        USING ERRCODE = 'restrict_violation';
END $$;
DO $$
DECLARE
    journal text;
BEGIN
    FOREACH journal IN ARRAY ARRAY['transfer', 'block', 'outcome'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', journal);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON ledger.transfer, ledger.block, ledger.outcome TO mykey_ledger;
GRANT SELECT, INSERT, UPDATE ON ledger.lot, ledger.contra, ledger.rollup, ledger.pool TO mykey_ledger;
GRANT SELECT, UPDATE ON ledger.head TO mykey_ledger;
