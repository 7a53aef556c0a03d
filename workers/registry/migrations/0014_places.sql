-- Where points are used: a party of kind store, and whose municipality's it is. A place has its terminals' place name.
CREATE TABLE place (
  place_id uuid PRIMARY KEY REFERENCES party,
  lg_code text COLLATE "C" NOT NULL REFERENCES municipality,
  name text NOT NULL,
  UNIQUE (lg_code, name)
);
GRANT SELECT, INSERT ON place TO mykey_registry;

-- As schemas.places.place_id_of makes it.
WITH there AS (
  SELECT encode(substr(sha256(convert_to(lg_code || E'\n' || place, 'UTF8')), 1, 16), 'hex')::uuid AS place_id,
    lg_code, place AS name
  FROM (SELECT DISTINCT lg_code, place FROM terminal) AS terminals
), parties AS (
  INSERT INTO party (party_id, kind, name) SELECT place_id, 'store', name FROM there
)
INSERT INTO place (place_id, lg_code, name) SELECT place_id, lg_code, name FROM there;
