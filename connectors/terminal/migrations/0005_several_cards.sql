-- A terminal may have several readers: a library's card beside the My Number Card takes nothing out.

ALTER TABLE presence ADD COLUMN insertions uuid[] NOT NULL DEFAULT '{}';
UPDATE presence SET insertions = ARRAY[insertion] WHERE insertion IS NOT NULL;
COMMENT ON COLUMN presence.insertions IS 'The cards that are in, the newest last.';
COMMENT ON COLUMN presence.insertion IS 'No longer read; written by processes of the release before, while these are replaced.';
