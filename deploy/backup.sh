#!/usr/bin/env bash
# Copies the database of an exchange while it works, and removes copies that are
# older than they may be: what was erased lives on in them.
#
#   backup.sh sqlite   --dir /var/lib/odziv --to FOLDER [--keep 14]
#   backup.sh postgres --to FOLDER [--keep 14]       as the user postgres, on its machine
#
#   --keep   days a copy is kept, 1 to 14
#
# It copies neither keys nor anchor: keep those apart (docs/operator.md), and never
# bring the anchor back with a database. A copy is complete when it has its name; an
# interrupted one ends in .part and is removed by the next run.
#
# ODZIVD names the program if it is not in PATH; PGHOST, PGPORT and PGUSER are
# PostgreSQL's own.
set -euo pipefail
fail() { echo "backup.sh: error: $1" >&2; [[ -z "${2:-}" ]] || echo "backup.sh: hint: $2" >&2; exit 1; }
kind="${1:-}" dir="" to="" keep=14
shift || true
while [[ $# -gt 0 ]]; do
  case "$1" in
  --dir) dir="${2:-}" ;; --to) to="${2:-}" ;; --keep) keep="${2:-}" ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
  esac
  shift 2 || fail "an option lacks its value"
done
[[ -d "$to" && -w "$to" ]] || fail "$to is no folder that may be written to" "install -d -m 700 -o $(id -un) $to"
[[ "$keep" =~ ^[0-9]+$ && "$keep" -ge 1 && "$keep" -le 14 ]] || fail "--keep $keep is not 1 to 14 days" "what is erased must not live on for longer in a copy"
umask 077
at="$(date -u +%Y%m%dT%H%M%SZ)"

case "$kind" in
sqlite)
  [[ -n "$dir" ]] || fail "--dir is missing"
  rm -f "$to"/ledger-*.part*
  file="$to/ledger-$at.db"
  "${ODZIVD:-odzivd}" backup --dir "$dir" --to "$file.part" >/dev/null
  mv -n "$file.part" "$file"
  ;;
postgres)
  bin="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)"
  PATH="$PATH${bin:+:$bin}"
  rm -rf "$to"/base-*.part
  file="$to/base-$at"
  pg_basebackup --pgdata "$file.part" --wal-method stream --checkpoint fast --no-password
  pg_verifybackup --quiet "$file.part" || fail "the copy is damaged: it is kept as $file.part" "look at the disk before anything else"
  mv -n -T "$file.part" "$file"
  ;;
*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
esac
echo "backup.sh: written: $file"

# Only what this script made, and only now that there is a newer one.
find "$to" -maxdepth 1 -regextype posix-extended -regex ".*/(ledger-[0-9]{8}T[0-9]{6}Z\.db|base-[0-9]{8}T[0-9]{6}Z)" \
  -mmin +$((keep * 1440)) -not -path "$file" -exec rm -rf {} +
