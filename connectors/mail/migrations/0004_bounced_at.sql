-- Where a mail server was wrong, those marked since are found by this, whatever mail they were found by.
ALTER TABLE recipient ADD COLUMN bounced_at timestamptz;
COMMENT ON COLUMN recipient.bounced_at IS 'when a mail server last refused the address; null where none has, or before there was this column';
