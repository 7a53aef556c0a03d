#!/bin/sh
# PostgreSQL wants its key to be its own; a secret that is handed in as a file is nobody's.
set -eu
install -d -o postgres -g postgres -m 0700 /run/tls
install -o postgres -g postgres -m 0600 /run/secrets/postgres.key /run/tls/server.key
install -o postgres -g postgres -m 0644 /run/secrets/postgres.pem /run/tls/server.pem
exec docker-entrypoint.sh "$@"
