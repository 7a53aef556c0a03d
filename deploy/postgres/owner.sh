#!/bin/sh
# Run once, on an empty server: the hub's owner role, which is no superuser, and its database. By the image, or by hand as
# docs/deployment.md says, with OWNER_PASSWORD set; in the environment alone, because arguments are shown to everybody.
set -eu
OWNER_PASSWORD="${OWNER_PASSWORD:-$(cat /run/secrets/owner_password)}"
export OWNER_PASSWORD
psql --set=ON_ERROR_STOP=1 --dbname=postgres --quiet <<'END'
\getenv password OWNER_PASSWORD
SET password_encryption = 'scram-sha-256';
CREATE ROLE mykey_owner LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD :'password';
CREATE DATABASE mykey OWNER mykey_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
END
