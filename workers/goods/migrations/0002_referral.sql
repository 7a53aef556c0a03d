-- Businesses that a municipality has referred to a fund company: screening, consent, open (mission I.8).
CREATE TABLE referral (
  referral_id uuid PRIMARY KEY,
  party_id uuid NOT NULL REFERENCES party,
  lg_code text NOT NULL,
  business text NOT NULL,
  state text NOT NULL CHECK (state IN ('referred', 'passed', 'failed', 'consented', 'open')),
  offer_id text COLLATE "C",
  referred_at timestamptz NOT NULL,
  consented_by uuid
);
CREATE INDEX referral_party ON referral (party_id, referred_at);
CREATE INDEX referral_lg_code ON referral (lg_code, referred_at);

GRANT SELECT, INSERT, UPDATE ON referral TO mykey_goods;
