-- Transactions over several databases: that one's branches elsewhere are to be committed, or never (hub/branches.py).

CREATE TABLE hub.decision (
    transaction_id uuid PRIMARY KEY,
    is_commit boolean NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hub.decision IS 'What became of a transaction that has branches in other databases.';
CREATE INDEX decision_age ON hub.decision (decided_at);

GRANT SELECT, INSERT, DELETE ON hub.decision TO mykey_component;
