-- Merge files are dropped by the agent, into a folder that it has or has not.

ALTER TABLE presence ADD COLUMN merge_folder text;
COMMENT ON COLUMN presence.merge_folder IS 'ready, or what troubles it; null where the agent has none.';

ALTER TABLE job DROP CONSTRAINT job_kind_check;
ALTER TABLE job ADD CONSTRAINT job_kind_check CHECK (kind IN ('card', 'number', 'notify', 'release', 'merge_files'));
