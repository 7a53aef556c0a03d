-- Who gets mail, what pools are called, and which notices are done.

CREATE TABLE recipient (
    citizen_id uuid PRIMARY KEY,
    name_sealed bytea NOT NULL,
    address_sealed bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('ok', 'bounced')),
    on_grant boolean NOT NULL,
    on_expiry boolean NOT NULL,
    on_password_change boolean NOT NULL,
    on_mykey_id_change boolean NOT NULL
);
COMMENT ON TABLE recipient IS 'From CitizenRegistered and MailChoicesChanged; name and address sealed, bound to their row.';

CREATE TABLE pool_name (
    pool text PRIMARY KEY,
    lg_code text NOT NULL,
    point_name text NOT NULL,
    municipality text
);
COMMENT ON TABLE pool_name IS 'From SchemeRegistered and SupportEventRegistered, so that mails speak names.';

CREATE TABLE notice (
    notice_id uuid PRIMARY KEY,
    citizen_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('sent', 'bounced')),
    smtp_code smallint NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE notice IS 'Written once a notice is done; until then it waits in the hub as SendNotice. Ids begin with the day.';

GRANT SELECT, INSERT, UPDATE ON recipient, pool_name TO mykey_mail;
GRANT SELECT, INSERT, DELETE ON notice TO mykey_mail;
