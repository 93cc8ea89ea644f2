#!/usr/bin/env bash
# Prints the path of the Vault that the tests use, and builds it when the cache
# does not hold it: about six minutes and 5 GB of memory, once.
#
# The cache is the user's (XDG_CACHE_HOME, else ~/.cache), outside the
# repository; a name holds the digest of what it was built from.
#
# go.mod was made by "go get github.com/hashicorp/vault/command@v1.21.2". Never
# run "go mod tidy" here: a test of a dependency wants a newer sdk, with which
# this version does not compile. The tag minimal leaves out cloud storage,
# databases and most ways to log in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

digest="$( (cat go.mod go.sum main.go build.sh; go version) | sha256sum | cut -c1-16)"
folder="${XDG_CACHE_HOME:-${HOME:?}/.cache}/odziv-tests"
binary="$folder/vault-$digest"

mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9 # several packages of tests may ask at once
if [[ ! -x "$binary" ]]; then
  echo "building Vault for the tests, once: about six minutes" >&2
  began=$SECONDS
  CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -tags minimal -ldflags "-s -w" -o "$binary.new" .
  mv "$binary.new" "$binary"
  echo "built Vault in $((SECONDS - began)) s" >&2
fi
echo "$binary"
