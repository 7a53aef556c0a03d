-- Partitions in several databases (docs/scaling.md).

CREATE TABLE ledger.place (id uuid PRIMARY KEY);
COMMENT ON TABLE ledger.place IS 'Which of a hub''s databases this is; one row.';
INSERT INTO ledger.place VALUES (gen_random_uuid());

ALTER TABLE ledger.head ADD COLUMN elsewhere uuid;
COMMENT ON COLUMN ledger.head.elsewhere IS 'The database in which the partition lives, which is not this one; nil where that is not known here.';

-- What must be unique over all partitions is claimed in the hub's own database, once there are several.
CREATE TABLE ledger.command_claim (
    party_id uuid NOT NULL,
    command_id text NOT NULL,
    partition smallint NOT NULL,
    PRIMARY KEY (party_id, command_id)
);
COMMENT ON TABLE ledger.command_claim IS 'The partition of every command''s outcome.';
CREATE TABLE ledger.hold_claim (
    hold_id uuid PRIMARY KEY,
    partition smallint NOT NULL,
    number text UNIQUE
);
COMMENT ON TABLE ledger.hold_claim IS 'The partition of every hold, and the number of a voucher as long as it is open.';

-- A partition that moves to another database leaves nothing behind, nor in the sums of days: by the owner, who says so.
CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'DELETE' AND current_setting('mykey.moving_partition', true) = 'on'
        AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = tg_relid), 'USAGE') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on %.% is refused: the journal is append-only', tg_op, tg_table_schema, tg_table_name
        USING ERRCODE = 'restrict_violation';
END $$;

GRANT SELECT ON ledger.place TO mykey_ledger;
GRANT SELECT, INSERT ON ledger.command_claim, ledger.hold_claim TO mykey_ledger;
GRANT UPDATE (number) ON ledger.hold_claim TO mykey_ledger;
