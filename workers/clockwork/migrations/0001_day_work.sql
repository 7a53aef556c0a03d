-- One row a kind of work, partition and business day: which last days it covers, how far it came, what came of it.
CREATE TABLE day_work (
  kind text NOT NULL CHECK (kind IN ('moving_soon', 'expiring_soon', 'sweep', 'expire')),
  partition integer NOT NULL CHECK (partition BETWEEN 0 AND 15),
  day date NOT NULL,
  first date NOT NULL,
  last date NOT NULL,
  after uuid,
  said integer NOT NULL DEFAULT 0,
  refused integer NOT NULL DEFAULT 0,
  done_at timestamptz,
  PRIMARY KEY (kind, partition, day)
);
COMMENT ON COLUMN day_work.after IS 'the last citizen that is done with; the next page begins after it';

GRANT SELECT, INSERT, UPDATE ON day_work TO mykey_clockwork;
