#!/bin/sh
# Creates the namespace once; closed runs are kept for 30 days.
set -eu
namespace=default
temporal operator cluster health
temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention 720h
