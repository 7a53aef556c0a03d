-- What was typed and never confirmed is found without those that were, to be forgotten long before their receipts.
CREATE INDEX form_open ON form (kept_at) WHERE receipt IS NULL;
