-- When an account was kept, so that a late end of an earlier link does not end it; NULL: before this was told.
ALTER TABLE account ADD COLUMN kept_at timestamptz;
