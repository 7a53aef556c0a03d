-- Outcomes by citizen are kept volume by volume. Citizens come in no order, so an index of all outcomes by citizen is
-- changed at another page by each posting, and once it is larger than what lies between two checkpoints, each of these
-- pages goes whole into the write-ahead log. Of a volume the index is small, and those before it are never written again.
ALTER TABLE ledger.head
    ADD COLUMN volume smallint NOT NULL DEFAULT 0,
    ADD COLUMN volume_outcomes int NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.head.volume IS 'The one that is written.';
COMMENT ON COLUMN ledger.head.volume_outcomes IS 'How many outcomes it has since it was begun, or since volumes were.';

ALTER TABLE ledger.outcome ADD COLUMN volume smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.outcome.volume IS 'Of its partition: it grows with the block. No part of the chain: it says where a row is found.';

DROP INDEX ledger.outcome_citizen;
CREATE INDEX outcome_citizen ON ledger.outcome (volume, citizen_id, block, number) WHERE code IS NULL;
