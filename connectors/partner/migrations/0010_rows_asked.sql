-- How many of a file's rows the ledger may have heard of: kept before it is asked, so that a row that this very file has
-- posted is known again after a crash.
ALTER TABLE transfer_file ADD COLUMN asked integer NOT NULL DEFAULT 0;
