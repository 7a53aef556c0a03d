-- Whoever added an operator was shown the token. So the two are no two people where one asks and another approves.
ALTER TABLE operations.operator ADD COLUMN added_by_id uuid REFERENCES operations.operator;
COMMENT ON COLUMN operations.operator.added_by_id IS 'Null: added on the hub''s own machine, or before this was kept.';
