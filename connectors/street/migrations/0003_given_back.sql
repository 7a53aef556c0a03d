-- Points given back by staff, where the street will not answer: who said so, and whether a file may lie somewhere.

ALTER TABLE merge ADD COLUMN unsure integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN merge.unsure IS 'Attempts to bring the file after which it may be somewhere, begun ones too. The first one is counted from the beginning; for 0 it is nowhere.';

CREATE TABLE given_back (
  merge_id uuid PRIMARY KEY REFERENCES merge,
  operator text NOT NULL,
  reason text NOT NULL,
  street_confirmed boolean NOT NULL,
  at timestamptz NOT NULL
);
COMMENT ON TABLE given_back IS 'The audit of points given back without an answer of the street: added to, never changed.';
GRANT SELECT, INSERT ON given_back TO mykey_street;
