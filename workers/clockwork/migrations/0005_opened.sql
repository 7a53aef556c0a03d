-- Lots that were opened after their last day was reminded of: by their numbers, which a partition gives out in order.
ALTER TABLE day_work
  ADD COLUMN known_until date,
  ADD COLUMN opened_from bigint,
  ADD COLUMN opened_until bigint;
COMMENT ON COLUMN day_work.known_until IS 'up to this last day only lots from opened_from on are looked at: the others were reminded of';
COMMENT ON COLUMN day_work.opened_until IS 'the number that the next lot was to get when this work began; from there on they are the next work''s';
