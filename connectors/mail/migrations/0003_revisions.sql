-- What was said of somebody may come again after what was said later: old words must not stand in the place of newer ones.
ALTER TABLE recipient
    ADD COLUMN address_revision int NOT NULL DEFAULT 0,
    ADD COLUMN choices_revision int NOT NULL DEFAULT 0;
ALTER TABLE pool_name ADD COLUMN revision int NOT NULL DEFAULT 0;

CREATE TABLE revoked (citizen_id uuid PRIMARY KEY);
COMMENT ON TABLE revoked IS 'From MyKeyIdRevoked: no message that comes late brings them back.';
GRANT SELECT, INSERT ON revoked TO mykey_mail;
