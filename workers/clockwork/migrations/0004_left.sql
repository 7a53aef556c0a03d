-- A day's work begins where the one before left something due. What earlier ones left is not known: from the beginning, once.
ALTER TABLE day_work ADD COLUMN left_from date, ADD COLUMN came_back_since date;
UPDATE day_work SET left_from = '2000-01-01' WHERE kind IN ('sweep', 'expire');
COMMENT ON COLUMN day_work.left_from IS 'the earliest last day of the lots that are still due after it; null where none is';
COMMENT ON COLUMN day_work.came_back_since IS 'lots that end before first are looked at too, where points came back since then';
