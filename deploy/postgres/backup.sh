#!/bin/sh
# Run once by the image, after owner.sh, and by hand where a server was made before there was this role: who takes base
# backups, names moments to come back to, and follows as a standby. It connects to `postgres`, and reads no table of ours.
# By hand with BACKUP_PASSWORD set, in the environment as for owner.sh.
set -eu
BACKUP_PASSWORD="${BACKUP_PASSWORD:-$(cat /run/secrets/backup_password)}"
export BACKUP_PASSWORD
psql --set=ON_ERROR_STOP=1 --dbname=postgres --quiet <<'END'
\getenv password BACKUP_PASSWORD
SET password_encryption = 'scram-sha-256';
SELECT 'CREATE ROLE mykey_backup' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mykey_backup') \gexec
ALTER ROLE mykey_backup LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO mykey_backup;
END
