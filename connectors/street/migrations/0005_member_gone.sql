-- Who the points of a merge went to is asked only to make its file anew: with the end it goes, as the file does.
UPDATE merge SET member_sealed = '' WHERE ended_at IS NOT NULL;
COMMENT ON COLUMN merge.member_sealed IS
  'The street point ID or MyKey ID that goes into the file, sealed for this row; empty with the end.';
