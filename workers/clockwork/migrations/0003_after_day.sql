-- A page goes by last day, then by citizen, as the ledger's index does. What is under way begins its day anew: whatever was
-- asked already is asked again under the same id.
ALTER TABLE day_work ADD COLUMN after_day date;
UPDATE day_work SET after = NULL WHERE done_at IS NULL;
ALTER TABLE day_work ADD CHECK ((after_day IS NULL) = (after IS NULL));
COMMENT ON COLUMN day_work.after IS 'the last citizen, of those whose lots end on after_day, that is done with';
