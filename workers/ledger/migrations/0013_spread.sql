-- Partitions in several databases: each lives where its head is not `elsewhere` (docs/scaling.md).

ALTER TABLE ledger.head ADD COLUMN elsewhere boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ledger.head.elsewhere IS 'The partition lives in another database, and nothing of it is written here.';

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

GRANT SELECT, INSERT ON ledger.command_claim, ledger.hold_claim TO mykey_ledger;
GRANT UPDATE (number) ON ledger.hold_claim TO mykey_ledger;
