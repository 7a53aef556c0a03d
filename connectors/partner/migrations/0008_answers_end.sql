-- A party's own answer is good for a minute: what the browser brings comes at once, or not from there.
ALTER TABLE linking ADD COLUMN answer_until timestamptz;
