-- How many files a partner has under way is asked at each new one.
CREATE INDEX transfer_file_unfinished ON transfer_file (party_id) WHERE finished_at IS NULL;
