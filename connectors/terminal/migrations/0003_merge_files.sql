-- Merge files are dropped by the agent, into a folder that it has or has not.

ALTER TABLE presence ADD COLUMN merge_folder text;
COMMENT ON COLUMN presence.merge_folder IS 'ready, or what troubles it; null where the agent has none.';

ALTER TABLE job DROP CONSTRAINT job_kind_check;
ALTER TABLE job ADD CONSTRAINT job_kind_check CHECK (kind IN ('card', 'number', 'notify', 'release', 'merge_files'));

-- Points may also be merged with the street's own card (mission III.15), which proves nothing by itself.

ALTER TABLE counter_operation DROP CONSTRAINT counter_operation_how_check;
ALTER TABLE counter_operation ADD CONSTRAINT counter_operation_how_check CHECK (how IN ('pin', 'tap', 'street_card'));
