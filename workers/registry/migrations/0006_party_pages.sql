-- How a partner, shop or fund is shown to citizens (画面40, 57).
CREATE TABLE party_page (
  party_id uuid PRIMARY KEY REFERENCES party,
  linkage text NOT NULL CHECK (linkage IN ('id_link', 'coupon')),
  page_url text NOT NULL,
  about text NOT NULL,
  logo bytea NOT NULL CHECK (length(logo) <= 32768)
);

GRANT SELECT, INSERT, UPDATE ON party_page TO mykey_registry;
