-- A card that nobody has registered is found and let go without reading the millions that are somebody's: each deleted
-- card is looked for in all tables that name one.
CREATE INDEX citizen_card_by_card ON citizen_card (card_id);
CREATE INDEX address_notice_by_card ON address_notice (card_id);

-- The default is theirs who are there already, and writes no row; then those few that were only seen are told apart.
ALTER TABLE card ADD COLUMN registered boolean NOT NULL DEFAULT true;
ALTER TABLE card ALTER COLUMN registered SET DEFAULT false;
UPDATE card AS c SET registered = false WHERE NOT EXISTS (SELECT FROM citizen_card AS h WHERE h.card_id = c.card_id);
COMMENT ON COLUMN card.registered IS 'some citizen holds it, or has held it: it is kept for ever';
CREATE INDEX card_only_seen ON card (seen_at) WHERE NOT registered;
DROP INDEX card_by_seen;

-- The unique (party, citizen) does not begin with the citizen: PostgreSQL read all of it for each revocation.
CREATE INDEX link_by_citizen ON link (citizen_id);
