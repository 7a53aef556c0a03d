-- A call stays until it is answered: whoever took it says every second that it is still at it, and where that one is
-- dead another takes it. Asked again under its own id it is done once (docs/architecture.md, "Calls").
ALTER TABLE hub.call
    ADD COLUMN taken_by uuid,
    ADD COLUMN taken_at timestamptz,
    ADD COLUMN takes smallint NOT NULL DEFAULT 0;
DROP INDEX hub.call_receiver;
CREATE INDEX call_free ON hub.call (receiver, id) WHERE taken_by IS NULL;
CREATE INDEX call_taken ON hub.call (receiver, taken_at) WHERE taken_by IS NOT NULL;
