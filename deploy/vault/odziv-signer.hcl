# What the signer of checkpoints needs: two keys to sign with, and its memory of
# what it signed last, which Vault changes only for who names the version before.

path "transit/keys/ckpt-dir" { capabilities = ["read"] }
path "transit/keys/ckpt-ev"  { capabilities = ["read"] }
path "transit/sign/ckpt-dir" { capabilities = ["update"] }
path "transit/sign/ckpt-ev"  { capabilities = ["update"] }

path "kv/data/odziv/last-checkpoint/dir" { capabilities = ["create", "read", "update"] }
path "kv/data/odziv/last-checkpoint/ev"  { capabilities = ["create", "read", "update"] }

# It may demand the version before, and never stop demanding it.
path "kv/metadata/odziv/last-checkpoint/dir" {
  capabilities       = ["create", "update"]
  allowed_parameters = { "cas_required" = [true], "max_versions" = [] }
}
path "kv/metadata/odziv/last-checkpoint/ev" {
  capabilities       = ["create", "update"]
  allowed_parameters = { "cas_required" = [true], "max_versions" = [] }
}

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
