#!/bin/sh
# Any command, with the names that docs/operations.md uses.
set -eu
MYKEY_DATABASE_URL=$(cat /run/secrets/owner_url)
MYKEY_BACKUP_URL=$(cat /run/secrets/backup_url)
export MYKEY_DATABASE_URL MYKEY_BACKUP_URL BACKUP=/backup
exec "$@"
