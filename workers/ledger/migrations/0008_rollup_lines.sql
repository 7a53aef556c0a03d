-- A batch finds the lines that it adds to by their numbers, which the writer remembers.
ALTER TABLE ledger.rollup ADD COLUMN line bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX rollup_line ON ledger.rollup (line);
