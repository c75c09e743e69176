#!/bin/sh
# Azurite takes accounts from a variable only; this reads them from the secret's file.
set -eu
AZURITE_ACCOUNTS="$(cat /run/secrets/azurite_accounts)"
export AZURITE_ACCOUNTS
exec azurite-blob --blobHost 0.0.0.0 --location /data --skipApiVersionCheck --silent --disableTelemetry
