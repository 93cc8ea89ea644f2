#!/usr/bin/env bash
# Makes what Odziv needs in a Vault, and says each step. A second run changes
# nothing. What is there already and is weaker than it must be is refused, before
# anything is changed: a key that can be taken out, copied or deleted, another
# policy under one of our names, a role that would admit more than it should.
#
#   apply.sh operator --cidr 192.0.2.10/32      the exchange's own Vault
#   apply.sh institution                        an institution's Vault, for officers' keys
#
#   --cidr ADDRESSES      from where the exchange may log in, separated by commas
#   --without-keys        make no keys: they will be imported (odzivd keys)
#   --split               roles odziv-api and odziv-signer instead of one role odziv,
#                         for an exchange whose signer is a process of its own
#   --replace             put the files of this version in the place of other policies
#                         and settings under the same names, after showing the difference
#   --check               change nothing; exit code 1 if anything is missing or differs
#
# It uses the vault command as its environment says (VAULT_ADDR, VAULT_CACERT,
# VAULT_TOKEN) and needs an administrator's token; revoke that afterwards. The
# names are fixed, because policies name them: mounts transit and kv for the
# operator, transit-odziv and kv-odziv for an institution.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

say() { echo "apply.sh: $*"; }
refuse() { echo "apply.sh: error: $1" >&2; echo "apply.sh: hint: $2" >&2; exit 1; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

which="${1:-}" cidr="" keys=yes split=no replace=no check=no
[[ $# -gt 0 ]] && shift
while [[ $# -gt 0 ]]; do
  case "$1" in
  --cidr) cidr="${2:-}"; [[ $# -ge 2 ]] || refuse "--cidr needs addresses" "such as --cidr 192.0.2.10/32"; shift ;;
  --without-keys) keys=no ;;
  --split) split=yes ;;
  --replace) replace=yes ;;
  --check) check=yes ;;
  *) usage >&2; exit 2 ;;
  esac
  shift
done
case "$which" in
operator) transit=transit kv=kv ;;
institution) transit=transit-odziv kv=kv-odziv ;;
-h | --help) usage; exit 0 ;;
*) usage >&2; exit 2 ;;
esac
if [[ "$which" == operator && "$check" == no ]]; then
  [[ -n "$cidr" ]] || refuse "--cidr is missing" "name the machines the exchange logs in from; a secret id that leaks is then of no use elsewhere"
  [[ ",$cidr" != *,0.0.0.0/0* && ",$cidr" != *,::/0* ]] || refuse "--cidr $cidr admits everybody" "name the machines the exchange runs on"
fi
command -v vault >/dev/null || refuse "there is no vault command" "install it, or add its folder to PATH"
vault token lookup >/dev/null 2>&1 || refuse "Vault at ${VAULT_ADDR:-?} does not know this token, is sealed or does not answer" "vault status; vault login"

# look reads a path, once: a vault command takes a tenth of a second. An error that
# is not "nothing there" must not be taken for it.
declare -A seen=() there=()
look() { # path
  [[ -z "${there[$1]:-}" ]] || return 0
  local said
  if said="$(vault read "$1" 2>&1)"; then
    there[$1]=yes seen[$1]="$said"
  elif [[ "$said" == *"No value found"* || "$said" == *"Code: 404"* || "$said" == *"No secret engine mount"* || "$said" == *"No auth engine"* ]]; then
    there[$1]=no seen[$1]=""
  else
    refuse "cannot read $1" "$(tr '\n' ' ' <<<"$said")"
  fi
}

# absent says whether a path holds nothing.
absent() { look "$1"; [[ "${there[$1]}" == no ]]; }

# field sets the variable "value" to a field of a path; empty, where one of them is
# not there.
field() { look "$1"; value="$(sed -n "s/^$2  *//p" <<<"${seen[$1]}")"; }

changes=0
# change does what its arguments say, after saying why.
change() { # why command...
  local why="$1"; shift
  changes=$((changes + 1))
  if [[ "$check" == yes ]]; then say "missing: $why"; return; fi
  say "$why"
  "$@" >/dev/null
}

# differs refuses what is other than it must be, or replaces it if it may.
differs() { # what why-command...
  local what="$1"; shift
  if [[ "$check" == yes ]]; then changes=$((changes + 1)); say "differs: $what"; return; fi
  [[ "$replace" == yes ]] || refuse "$what is not what this version wants" "find out who changed it; --replace puts it back"
  change "put back: $what" "$@"
}

### First look, then change: keys that cannot be made good.

key_is_sound() { # name type
  local path="$transit/keys/$1" member value
  absent "$path" && return
  field "$path" type
  [[ "$value" == "$2" ]] || refuse "$path is of type $value, not $2" "somebody made another key under this name: move it away (odzivd keys)"
  for member in exportable allow_plaintext_backup deletion_allowed derived; do
    field "$path" "$member"
    [[ "$value" == false ]] ||
      refuse "$path has $member = $value" "this cannot be undone for a key that could be taken out: treat it as known to others, make a new one, and have the council name it"
  done
}
if [[ "$which" == operator ]] && ! absent "sys/mounts/$transit"; then
  key_is_sound ckpt-dir ed25519
  key_is_sound ckpt-ev ed25519
  key_is_sound period aes256-gcm96
fi

policies() {
  case "$which" in
  operator) echo odziv-api odziv-signer odziv-setup odziv-breakglass odziv-deliver odziv-audit ;;
  institution) echo institution-officer institution-admin ;;
  esac
}
# A policy has lines, so it is read as it is.
declare -A policy=()
for name in $(policies); do policy[$name]="$(vault read -field=policy "sys/policies/acl/$name" 2>/dev/null || true)"; done
if [[ "$replace" == no && "$check" == no ]]; then
  for name in $(policies); do
    if [[ -n "${policy[$name]}" && "${policy[$name]}" != "$(cat "$here/$name.hcl")" ]]; then
      diff <(echo "${policy[$name]}") "$here/$name.hcl" >&2 || true
      refuse "policy $name is not what this version wants" "find out who changed it; --replace puts it back"
    fi
  done
fi

### Mounts.

mount_is() { # mount type why version?
  local value
  if absent "sys/mounts/$1"; then change "mount $2 at $1/: $3" vault secrets enable -path="$1" ${4:+"-version=$4"} "$2"; return; fi
  field "sys/mounts/$1" type
  [[ "$value" == "$2" ]] || refuse "$1/ is not a mount of type $2" "this Vault uses the name for something else: give Odziv a Vault or a namespace of its own"
  field "sys/mounts/$1" options
  [[ -z "${4:-}" || "$value" == *"version:$4"* ]] || refuse "$1/ is not of version $4" "vault kv enable-versioning $1/"
}
mount_is "$transit" transit "keys that sign and wrap, and never leave Vault"
mount_is "$kv" kv "small values with versions" 2

### Policies.

for name in $(policies); do
  had="${policy[$name]}"
  if [[ -z "$had" ]]; then
    change "policy $name: $(sed -n '1s/^# //p' "$here/$name.hcl")" vault policy write "$name" "$here/$name.hcl"
  elif [[ "$had" != "$(cat "$here/$name.hcl")" ]]; then
    diff <(echo "$had") "$here/$name.hcl" || true
    differs "policy $name" vault policy write "$name" "$here/$name.hcl"
  fi
done

done_with() {
  if [[ "$check" == yes && $changes != 0 ]]; then say "$changes things are missing or differ"; exit 1; fi
  if [[ $changes == 0 ]]; then say "nothing to do: all is as it must be"; fi
}

if [[ "$which" == institution ]]; then
  done_with
  [[ "$check" == yes ]] || echo "next: give the policy institution-officer to the group of officers in your login (OIDC, LDAP), without \"default\"; see docs/install.md"
  exit 0
fi

### Keys: not exportable, no plaintext backup, no deletion. These are Vault's
### defaults; they are given here so that nobody has to know them.

make_key() { # name type why
  if absent "$transit/keys/$1"; then
    change "key $1: $3" vault write "$transit/keys/$1" type="$2" exportable=false allow_plaintext_backup=false
  fi
}
if [[ "$keys" == yes ]]; then
  make_key ckpt-dir ed25519 "signs checkpoints of the directory"
  make_key ckpt-ev ed25519 "signs checkpoints of the evidence tree"
  make_key period aes256-gcm96 "wraps the keys of stored blobs"
fi

### The signer's memory: who writes must name the version that she replaces.

for log in dir ev; do
  path="$kv/metadata/odziv/last-checkpoint/$log"
  field "$path" cas_required
  if [[ "$value" != true ]]; then
    change "last checkpoint of $log: refuse who does not name the version before" vault write "$path" cas_required=true
  fi
done

### Login: a secret id works once, from the machines named, and is delivered wrapped.

if absent sys/auth/approle; then change "login of programs (AppRole)" vault auth enable approle; fi
field sys/auth/approle type
[[ -z "$value" || "$value" == approle ]] || refuse "auth/approle is not AppRole" "this Vault uses the name for something else"

role_is() { # role policies why
  local role="auth/approle/role/$1" want=() pair value given said bad=()
  want=("token_policies=$2" token_no_default_policy=true token_period=20m token_type=service token_num_uses=0
    bind_secret_id=true secret_id_num_uses=1 secret_id_ttl=96h "token_bound_cidrs=$cidr" "secret_id_bound_cidrs=$cidr")
  if absent "$role"; then change "role $1: $3" vault write "$role" "${want[@]}"; return; fi
  for pair in "${want[@]}"; do
    given="${pair#*=}"
    field "$role" "${pair%%=*}"
    said="$value"
    case "${pair%%=*}" in
    token_period | secret_id_ttl) said="$(seconds "$said")" given="$(seconds "$given")" ;;
    token_policies | token_bound_cidrs | secret_id_bound_cidrs)
      [[ -n "$given" ]] || continue # --check without --cidr
      said="$(list "$said")" given="$(list "$given")" ;;
    esac
    [[ "$said" == "$given" ]] || bad+=("${pair%%=*} is $said, not $given")
  done
  if [[ ${#bad[@]} != 0 ]]; then
    printf "apply.sh: role $1: %s\n" "${bad[@]}" >&2
    differs "role $1" vault write "$role" "${want[@]}"
  fi
}
# seconds and list bring Vault's ways of printing to one.
seconds() { case "$1" in 20m | 20m0s) echo 1200 ;; 96h | 96h0m0s) echo 345600 ;; *) echo "$1" ;; esac; }
list() { tr -d '[]"' <<<"$1" | tr ', ' '\n\n' | sed -E 's,/(32|128)$,,' | sed '/^$/d' | sort | paste -sd, ; }

if [[ "$split" == yes ]]; then
  role_is odziv-api odziv-api "the exchange's API"
  role_is odziv-signer odziv-signer "the exchange's signer"
else
  role_is odziv odziv-api,odziv-signer "the exchange, API and signer in one process"
fi
done_with
if [[ "$check" == no ]]; then
  [[ "$split" == yes ]] && roles="odziv-api odziv-signer" || roles=odziv
  for role in $roles; do echo "role id of $role (no secret): $(vault read -field=role_id "auth/approle/role/$role/role-id")"; done
  echo "next: audit.sh, then deliver.sh, then revoke this token: vault token revoke -self"
fi
