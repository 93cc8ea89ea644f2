#!/usr/bin/env bash
# Runs every test of Odziv. With nothing but Go on a Debian machine it installs
# what else it needs; elsewhere it says what is missing.
#
#   ./test.sh                        everything
#   ./test.sh --without interop      everything but one suite, named again at the end
#   ./test.sh main ./ledger/...      one suite, only on these packages
#
# Suites: format (gofmt), vet, vault (builds the Vault server that tests start,
# about six minutes, once), main (this module), and each nested module by the
# name of its folder (interop). A suite that cannot run has failed.
#
# ODZIV_ROUNDS=N (default 1) multiplies the rounds of the long tests: crashes,
# races, random histories. ODZIV_RACE=1 adds the race detector.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export ODZIV_ROUNDS="${ODZIV_ROUNDS:-1}"
# A test that hangs must not hang the run: each package has 20 minutes.
GO_TEST=(go test -count=1 -timeout=20m)
if [[ "${ODZIV_RACE:-}" == 1 ]]; then GO_TEST+=(-race); fi

fail() { echo "test.sh: error: $*" >&2; exit 1; }

# nested prints the folder of every module with tests inside this one. That of
# the Vault server has none: it is built.
nested() { find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path './internal/vaultserver/*' -printf '%h\n' | sort; }

# have says whether a command, or a file that a pattern with a slash names, is there.
have() {
  if [[ "$1" == */* ]]; then compgen -G "$1"; else command -v "$1"; fi >/dev/null
}

# need installs Debian packages for commands and files that are not there.
need() {
  local missing=() pair
  for pair in "$@"; do
    have "${pair%%:*}" || missing+=("${pair##*:}")
  done
  if [[ ${#missing[@]} == 0 ]]; then return; fi
  if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "test.sh: hint: install ${missing[*]}" >&2
    return 1
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# need_postgres installs a PostgreSQL server without the cluster that Debian makes
# with it: each test starts its own.
need_postgres() {
  if have '/usr/lib/postgresql/*/bin/initdb' || have initdb; then return; fi
  need pg_createcluster:postgresql-common || return
  local folder=/etc/postgresql-common/createcluster.d
  mkdir -p "$folder" && echo 'create_main_cluster = false' >"$folder/odziv-tests.conf" || return
  need '/usr/lib/postgresql/*/bin/initdb:postgresql-15'
}

# Suites run with errexit off (they stand in a condition): each command that
# matters ends with || return.
suite_format() {
  local bad
  bad="$(gofmt -l .)" || return
  if [[ -n "$bad" ]]; then
    echo "not gofmt'ed:"; echo "$bad"
    return 1
  fi
}

suite_vet() {
  go vet ./... || return
  local dir
  for dir in $(nested); do (cd "$dir" && go vet ./...) || return; done
}

suite_vault() {
  need sha256sum:coreutils flock:util-linux || return
  local vault
  vault="$(internal/vaultserver/build.sh)" || return
  "$vault" version
}

suite_main() {
  suite_vault >/dev/null || return
  if [[ "${ODZIV_RACE:-}" == 1 ]]; then need gcc:gcc gcc:libc6-dev || return; fi
  need python3:python3 python3:tzdata '/usr/lib/python3/dist-packages/cryptography/__init__.py:python3-cryptography' || return # the second verifiers
  need_postgres || return
  need '/usr/lib/*/faketime/libfaketime.so.1:libfaketime' || return # clocks that jump
  need systemd-analyze:systemd haproxy:haproxy openssl:openssl '/usr/lib/python3/dist-packages/yaml/__init__.py:python3-yaml' || return # deploy
  "${GO_TEST[@]}" "${packages[@]}" || return
}

suite_nested() { # folder
  need openssl:openssl jq:jq sha256sum:coreutils || return
  need_postgres || return
  (cd "$1" && "${GO_TEST[@]}" ./...) || return
}

run() { # suite
  local dir
  case "$1" in
  format | vet | vault | main) "suite_$1" ;;
  *)
    for dir in $(nested); do
      if [[ "$(basename "$dir")" == "$1" ]]; then suite_nested "$dir"; return; fi
    done
    fail "no suite is called $1; there are: ${all[*]}"
    ;;
  esac
}

command -v go >/dev/null || fail "Go is not installed: https://go.dev/dl (the version in go.mod or newer)"
all=(format vet vault main)
for dir in $(nested); do all+=("$(basename "$dir")"); done

without=() chosen=() packages=()
while [[ $# -gt 0 ]]; do
  case "$1" in
  --without)
    [[ $# -ge 2 ]] || fail "--without needs the name of a suite"
    without+=("$2"); shift ;;
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  -*) fail "unknown option $1" ;;
  ./*) packages+=("$1") ;;
  *) chosen+=("$1") ;;
  esac
  shift
done
if [[ ${#packages[@]} == 0 ]]; then packages=(./...); fi
if [[ ${#chosen[@]} == 0 ]]; then chosen=("${all[@]}"); fi
for name in "${without[@]}" "${chosen[@]}"; do
  [[ " ${all[*]} " == *" $name "* ]] || fail "no suite is called $name; there are: ${all[*]}"
done

passed=0 failed=() left=()
for name in "${chosen[@]}"; do
  if [[ " ${without[*]} " == *" $name "* ]]; then left+=("$name"); continue; fi
  echo "== $name"
  began=$SECONDS
  if run "$name"; then passed=$((passed + 1)); else failed+=("$name"); fi
  echo "== $name: $((SECONDS - began)) s"
done
echo "suites: $passed passed, ${#failed[@]} failed"
if [[ ${#failed[@]} != 0 ]]; then echo "FAILED: ${failed[*]}"; fi
if [[ ${#left[@]} != 0 ]]; then echo "NOT RUN: ${left[*]}"; fi
[[ ${#failed[@]} == 0 ]]
