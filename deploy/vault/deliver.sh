#!/usr/bin/env bash
# Brings fresh secret ids to the exchange, wrapped: what lies in the files can be
# opened once, by whoever logs in first, and a second try is an alarm. Run it from
# a timer (deploy/systemd/odziv-deliver.timer): it replaces what is missing or past
# half of its time, and leaves the rest alone. An exchange that restarts at night
# takes the first; one that lost its login takes the reserve.
#
#   deliver.sh --to FOLDER [--owner odziv] [--role odziv] [--name secret-id] [--ttl 24]
#
#   --to      folder of the exchange's account, mode 700; gets NAME and NAME.reserve
#   --owner   whose files they are; they are written as that account, never as root,
#             because the folder is hers
#   --ttl     hours that a file may wait, 2 to 72; the reserve may wait three times as
#             long, at most 72
#
# VAULT_TOKEN or ODZIV_DELIVER_TOKEN_FILE is a token with the policy odziv-deliver
# and nothing else. It never sees a secret id.
set -euo pipefail
fail() { echo "deliver.sh: error: $1" >&2; [[ -z "${2:-}" ]] || echo "deliver.sh: hint: $2" >&2; exit 1; }
to="" owner="" role=odziv name=secret-id ttl=24
while [[ $# -gt 0 ]]; do
  case "$1" in
  --to) to="$2" ;; --owner) owner="$2" ;; --role) role="$2" ;; --name) name="$2" ;; --ttl) ttl="$2" ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
  esac
  shift 2 || fail "an option lacks its value"
done
[[ "$ttl" =~ ^[0-9]+$ && "$ttl" -ge 2 && "$ttl" -le 72 ]] || fail "--ttl $ttl is not 2 to 72 hours"
if [[ -n "${ODZIV_DELIVER_TOKEN_FILE:-}" ]]; then VAULT_TOKEN="$(cat "$ODZIV_DELIVER_TOKEN_FILE")"; export VAULT_TOKEN; fi
umask 077

# as runs a command as the owner of the folder, into which root may not even look:
# the unit leaves it no more than the right to become that account.
as() { if [[ -n "$owner" && "$(id -un)" != "$owner" ]]; then setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups --inh-caps=-all -- "$@"; else "$@"; fi; }
as test -d "$to" || fail "$to is no folder${owner:+ of $owner}" "install -d -o ${owner:-odziv} -g ${owner:-odziv} -m 700 $to"

vault token renew >/dev/null 2>&1 || vault token lookup >/dev/null 2>&1 || fail "the token of the delivery is not accepted, or Vault is sealed or away" "vault status; the exchange keeps what it has"
reserve=$((ttl * 3)); if [[ $reserve -gt 72 ]]; then reserve=72; fi
for pair in "$name:$ttl" "$name.reserve:$reserve"; do
  file="$to/${pair%:*}" hours="${pair##*:}"
  # A link, or a file that is older than half of its time, is no file.
  if as test -f "$file" && ! as test -L "$file" && [[ -n "$(as find "$file" -mmin "-$((hours * 30))")" ]]; then continue; fi
  token="$(vault write -f -wrap-ttl="${hours}h" -field=wrapping_token "auth/approle/role/$role/secret-id")" || fail "Vault gives no secret id of $role"
  # Written beside and renamed: the exchange sees the whole file or none.
  as sh -c 'umask 077 && cat >"$1.new" && mv -f -T "$1.new" "$1"' sh "$file" <<<"$token"
  echo "deliver.sh: $file is fresh for $hours hours"
done
