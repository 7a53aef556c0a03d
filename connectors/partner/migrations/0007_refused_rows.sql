-- A finished file is told of with its first refused rows, whichever of a million lines they stand in.
CREATE INDEX file_result_refused ON file_result (file_id, line) WHERE code IS NOT NULL;

-- What has not been taken is looked for, and sent again.
CREATE INDEX webhook_event_undelivered ON webhook_event (party_id, event_id) WHERE delivered_at IS NULL;
