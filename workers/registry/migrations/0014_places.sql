-- Where points are used: a party of kind store, and whose municipality's it is. A place has its terminals' place name.
CREATE TABLE place (
  place_id uuid PRIMARY KEY REFERENCES party,
  lg_code text COLLATE "C" NOT NULL REFERENCES municipality,
  name text NOT NULL,
  UNIQUE (lg_code, name)
);
GRANT SELECT, INSERT ON place TO mykey_registry;

-- As schemas.places makes names and ids.
WITH named AS (
  SELECT DISTINCT lg_code, btrim(regexp_replace(normalize(place, NFKC), '[[:space:]]+', ' ', 'g')) AS name FROM terminal
), there AS (
  SELECT encode(substr(sha256(convert_to(lg_code || E'\n' || name, 'UTF8')), 1, 16), 'hex')::uuid AS place_id,
    lg_code, name
  FROM named
), parties AS (
  INSERT INTO party (party_id, kind, name) SELECT place_id, 'store', name FROM there
)
INSERT INTO place (place_id, lg_code, name) SELECT place_id, lg_code, name FROM there;
