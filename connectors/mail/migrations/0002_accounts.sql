-- Whose MyKey ID was revoked gets no more mail, and is kept here no longer.
GRANT DELETE ON recipient TO mykey_mail;
