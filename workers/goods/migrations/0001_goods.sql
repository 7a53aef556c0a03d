-- Shops and funds by what the registry has said of them.
CREATE TABLE party (
  party_id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('shop', 'fund')),
  name text NOT NULL
);

-- Whose events are: a municipality's or a prefecture's.
CREATE TABLE event_pool (
  pool text PRIMARY KEY,
  lg_code text NOT NULL
);

-- A municipality uses a shop or fund. The office's mail address is sealed.
CREATE TABLE application (
  lg_code text NOT NULL,
  party_id uuid NOT NULL REFERENCES party,
  mode text NOT NULL CHECK (mode IN ('intermediary', 'direct')),
  mail_sealed bytea NOT NULL,
  applied_at timestamptz NOT NULL,
  PRIMARY KEY (party_id, lg_code)
);

CREATE TABLE offer (
  party_id uuid NOT NULL REFERENCES party,
  offer_id text COLLATE "C" NOT NULL,
  revision integer NOT NULL,
  title text NOT NULL,
  merchant text NOT NULL,
  price integer,
  region text NOT NULL,
  industry text NOT NULL,
  page_url text NOT NULL,
  posted_at timestamptz NOT NULL,
  PRIMARY KEY (party_id, offer_id)
);
CREATE INDEX offer_place ON offer (region, industry);

CREATE TABLE approval (
  party_id uuid NOT NULL,
  offer_id text COLLATE "C" NOT NULL,
  lg_code text NOT NULL,
  state text NOT NULL CHECK (state IN ('asked', 'approved', 'sent_back')),
  comment text NOT NULL,
  asked_at timestamptz,
  decided_at timestamptz,
  decided_by uuid,
  PRIMARY KEY (party_id, offer_id, lg_code),
  FOREIGN KEY (party_id, offer_id) REFERENCES offer
);
CREATE INDEX approval_lg_code ON approval (lg_code, state);

GRANT SELECT, INSERT, UPDATE ON party, event_pool, application, offer, approval TO mykey_goods;
