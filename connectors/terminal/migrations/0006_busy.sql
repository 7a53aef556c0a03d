-- An agent does one job at a time: whoever it was too busy for has not got the card that whoever keeps it busy has.

ALTER TABLE job ADD COLUMN is_busy boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN job.is_busy IS 'Whether the agent was doing another job, and did not begin with it.';
COMMENT ON TABLE presence IS 'One connection a terminal, the newest; none where connection_id is null. operation_id asked for a card last, and the agent was not too busy for it.';
