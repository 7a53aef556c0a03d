-- A posting finds what it changes with fewer looks into indexes.

-- A command names its pools: its lots are found without reading the citizen's other lots.
DROP INDEX ledger.lot_citizen;
CREATE INDEX lot_citizen ON ledger.lot (citizen_id, pool);

-- One index finds the line that a batch adds to, and what a party's summary needs.
DROP INDEX ledger.rollup_counterparty;
ALTER TABLE ledger.rollup
    DROP CONSTRAINT rollup_pkey,
    ADD PRIMARY KEY (counterparty_id, day, partition, pool, kind, lg_code);
