-- Up to which merge of a partition, by the time it was sent, overdue ones have been told of.
CREATE TABLE overdue_merge (
  partition integer PRIMARY KEY CHECK (partition BETWEEN 0 AND 15),
  opened_at timestamptz NOT NULL,
  hold_id uuid NOT NULL,
  told bigint NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON overdue_merge TO mykey_clockwork;
