-- Each decision by its own id, so that one whose answer was lost and that is asked again undoes none that came after it.
CREATE TABLE decision (
  decision_id uuid PRIMARY KEY,
  revision integer NOT NULL,
  party_id uuid NOT NULL,
  offer_id text COLLATE "C" NOT NULL,
  lg_code text NOT NULL,
  state text NOT NULL CHECK (state IN ('approved', 'sent_back')),
  comment text NOT NULL,
  decided_by uuid NOT NULL,
  decided_at timestamptz NOT NULL,
  FOREIGN KEY (party_id, offer_id) REFERENCES offer
);

GRANT SELECT, INSERT ON decision TO mykey_goods;
