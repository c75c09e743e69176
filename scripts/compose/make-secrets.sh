#!/bin/sh
# Writes the secrets of docker-compose.yml to ./secrets, each once; an existing one is kept.
# The folder is closed to others; the files are readable, because containers read them as users of their own.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p secrets
chmod 700 secrets

hexadecimal() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }
write_once() { [ -e "secrets/$1" ] || { cat >"secrets/$1" && chmod 444 "secrets/$1" && echo "wrote secrets/$1"; }; }

hexadecimal 24 | write_once postgres-password
printf 'postgres://switchback:%s@postgres:5432/switchback' "$(cat secrets/postgres-password)" | write_once catalogue-url
head -c 32 /dev/urandom | write_once vault.key
printf 'practice:%s' "$(head -c 64 /dev/urandom | base64 | tr -d '\n')" | write_once azurite-accounts
