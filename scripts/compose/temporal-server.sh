#!/bin/sh
# The server image takes the password from a variable only; this reads it from the secret's file.
set -eu
POSTGRES_PWD="$(cat /run/secrets/postgres_password)"
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
