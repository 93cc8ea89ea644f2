#!/usr/bin/env bash
# Has Vault write what it is asked into a file, secrets as HMAC only. A second run
# changes nothing. Once it is on, Vault refuses requests that it cannot write down:
# give the file a disk of its own that is watched, and rotate it (logrotate, with
# SIGHUP to vault).
#
#   audit.sh [FILE]      default /var/log/vault/audit.log
set -euo pipefail
file="${1:-/var/log/vault/audit.log}"
[[ "$file" == /* ]] || { echo "audit.sh: error: $file is no absolute path" >&2; exit 2; }
had="$(vault audit list -detailed 2>/dev/null || true)"
if grep -q "^odziv/" <<<"$had"; then
  grep -q "file_path=$file\b" <<<"$had" || { echo "audit.sh: error: audit writes to another file than $file" >&2; echo "audit.sh: hint: vault audit list -detailed" >&2; exit 1; }
  ! grep -q "log_raw=true" <<<"$had" || { echo "audit.sh: error: audit writes secrets in clear (log_raw)" >&2; echo "audit.sh: hint: vault audit disable odziv/, destroy the file, and run this again" >&2; exit 1; }
  echo "audit.sh: nothing to do: audit is on"
  exit 0
fi
echo "audit.sh: every request is written to $file, readable to Vault's account alone"
vault audit enable -path=odziv file file_path="$file" mode=0600 log_raw=false >/dev/null
