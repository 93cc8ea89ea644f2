#!/usr/bin/env bash
# Shows that a base backup brings an exchange back, without touching anything: a
# copy of the backup is started as a PostgreSQL of its own, reachable by nobody, and
# odzivd compares it with a mirror and with itself. Run it before the first real
# case, and every month, as root or as the account postgres.
#
#   drill.sh --backup /var/backups/odziv/base-… --home /var/lib/odziv [--from MIRROR] [--work FOLDER]
#
#   --home   a server's folder: its settings, keys as files and anchor are copied for
#            the time of the drill; no login to Vault is tried, which would spend a secret id
#   --from   a mirror: what "odziv observe export" wrote, or an audit bundle
#   --work   where it happens, with room for a copy of the database; default: a new
#            folder below /var/tmp
#
# Exit code 0: the backup is whole, and with the mirror nothing that was signed is
# missing. 3: the entries are whole, and members must give back what opens the last
# of them (odziv observe repost). 1: it would not have worked: read why, now and not
# on the day.
set -euo pipefail
fail() { echo "drill.sh: error: $1" >&2; [[ -z "${2:-}" ]] || echo "drill.sh: hint: $2" >&2; exit 1; }
say() { echo "drill.sh: $*"; }
backup="" home="" from="" work=""
while [[ $# -gt 0 ]]; do
  case "$1" in
  --backup) backup="${2:-}" ;; --home) home="${2:-}" ;; --from) from="${2:-}" ;; --work) work="${2:-}" ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
  esac
  shift 2 || fail "an option lacks its value"
done
[[ -f "$backup/PG_VERSION" ]] || fail "$backup is no base backup" "backup.sh postgres makes one"
[[ -f "$home/server.json" ]] || fail "$home is no server's folder"
version="$(cat "$backup/PG_VERSION")"
bin="/usr/lib/postgresql/$version/bin"
[[ -x "$bin/postgres" ]] || fail "there is no PostgreSQL $version on this machine" "apt-get install postgresql-$version"
odzivd="${ODZIVD:-odzivd}"

umask 077
work="$(mktemp -d "${work:-/var/tmp}/odziv-drill-XXXXXX")"
as() { if [[ "$(id -u)" == 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi; }
cleanup() {
  as "$bin/pg_ctl" -D "$work/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
chmod 711 "$work"

say "looking whether the backup is what was written"
"$bin/pg_verifybackup" --quiet "$backup" || fail "the backup is damaged"

say "starting a copy of it, on a socket in $work"
mkdir "$work/data" "$work/socket"
if [[ "$(id -u)" == 0 ]]; then chown postgres "$work/data" "$work/socket"; fi
cp -a "$backup/." "$work/data"
if [[ "$(id -u)" == 0 ]]; then chown -R postgres "$work/data"; fi
rm -f "$work/data/postmaster.pid" "$work/data/standby.signal"
# Settings of its own alone: neither the network nor the standby of the real one.
: >"$work/data/postgresql.auto.conf"
cat >"$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work/socket'
log_min_error_statement = 'panic'
log_error_verbosity = 'terse'
shared_buffers = '64MB'
dynamic_shared_memory_type = 'mmap'
CONF
echo "local all all trust" >"$work/data/pg_hba.conf"
: >"$work/data/pg_ident.conf"
as "$bin/pg_ctl" -D "$work/data" -l "$work/data/drill.log" -w -t 600 start >/dev/null || fail "it does not start" "$(tail -n 3 "$work/data/drill.log")"
# Whoever may enter the socket's folder is anybody here: root, and postgres.
chmod 711 "$work/socket"

say "copying settings, keys and anchor for the time of the drill"
mkdir "$work/home"
cp -a "$home/server.json" "$work/home/"
for part in keys anchor; do if [[ -d "$home/$part" ]]; then cp -a "$home/$part" "$work/home/"; fi; done
if [[ "$(id -u)" == 0 ]]; then chown -R root "$work/home"; fi
name="$(sed -n 's,.*"db": *"postgres[a-z]*://[^"]*/\([A-Za-z0-9_-]*\)[?"].*,\1,p' "$home/server.json")"
[[ -n "$name" ]] || fail "$home/server.json names no database of PostgreSQL" "for the embedded one: odzivd restore into an empty folder"
sed -i 's,"db": *"[^"]*","db": "postgres://postgres@/'"$name"'?host='"$work/socket"'\&sslmode=disable",' "$work/home/server.json"

if [[ -n "$from" ]]; then
  say "bringing back what the backup lacks, from the mirror"
  "$odzivd" import --dir "$work/home" --from "$from" || fail "the mirror does not bring it back" "take another institution's, and see docs/operator.md"
fi
say "replaying everything"
code=0
found="$("$odzivd" fsck --dir "$work/home")" || code=$?
if [[ $code == 0 ]]; then say "the backup brings the exchange back"; exit 0; fi
rest="$(grep -v ": the opening is missing and no erasure covers it$" <<<"$found" || true)"
if [[ -z "$rest" ]]; then
  say "the entries are whole; $(wc -l <<<"$found") of them must be opened by the members: odziv observe repost"
  exit 3
fi
echo "$found" >&2
fail "the database is not sound"
