-- A merge whose caller was lost before the ledger was heard: the ledger is asked again, so that none stays `asked`.

ALTER TABLE merge ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN merge.asked_at IS 'By the database''s own time: when the ledger was asked last.';
CREATE INDEX merge_asked ON merge (asked_at) WHERE state = 'asked';
