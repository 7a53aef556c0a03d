-- So that a file's work can go on in its middle without reading what came before.
ALTER TABLE file_chunk ADD COLUMN line_feeds_before integer NOT NULL DEFAULT 0;
ALTER TABLE file_chunk ALTER COLUMN line_feeds_before DROP DEFAULT;
