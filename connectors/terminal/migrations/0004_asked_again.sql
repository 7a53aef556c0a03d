-- An ask has an id of its own: where whoever took it dies, and it comes to another process, it is the same job still.

ALTER TABLE job ADD COLUMN ask_id uuid;
CREATE UNIQUE INDEX job_ask ON job (ask_id);
DROP INDEX job_asked_by;
COMMENT ON TABLE job IS 'Asked of one connection, sent once, consumed once: consumed without a result where the connection was lost. Kept until nobody can ask for it again.';
