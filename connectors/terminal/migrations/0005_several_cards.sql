-- A terminal may have several readers: a library's card beside the My Number Card takes nothing out.

ALTER TABLE presence ADD COLUMN insertions uuid[] NOT NULL DEFAULT '{}';
UPDATE presence SET insertions = ARRAY[insertion] WHERE insertion IS NOT NULL;
ALTER TABLE presence DROP COLUMN insertion;
COMMENT ON COLUMN presence.insertions IS 'The cards that are in, the newest last.';
