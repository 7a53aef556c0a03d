-- A registration that failed comes again after later ones: an old rule must not stand in the place of a newer one.
ALTER TABLE ledger.pool ADD COLUMN scheme_revision int NOT NULL DEFAULT 0;
COMMENT ON COLUMN ledger.pool.scheme_revision IS 'The registry''s number of this name and rule; `revision` is the ledger''s own.';
