#!/bin/sh
# Run once by the image, on an empty data directory: the hub's owner role, which is no superuser, and its database.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$(cat /run/secrets/owner_password)" --dbname=postgres --quiet <<'END'
SET password_encryption = 'scram-sha-256';
CREATE ROLE mykey_owner LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD :'password';
CREATE DATABASE mykey OWNER mykey_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
END
