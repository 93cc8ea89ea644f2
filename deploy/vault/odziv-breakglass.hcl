# For two people with one token, in an emergency: new versions of the keys, and the
# end of old ones. The directory must name a new key of the ledger before anything
# is signed with it. No key becomes one that can be taken out or deleted.

path "transit/keys/ckpt-dir" { capabilities = ["read"] }
path "transit/keys/ckpt-ev"  { capabilities = ["read"] }
path "transit/keys/period"   { capabilities = ["read"] }

path "transit/keys/ckpt-dir/rotate" { capabilities = ["update"] }
path "transit/keys/ckpt-ev/rotate"  { capabilities = ["update"] }
path "transit/keys/period/rotate"   { capabilities = ["update"] }

path "transit/keys/ckpt-dir/trim" { capabilities = ["update"] }
path "transit/keys/ckpt-ev/trim"  { capabilities = ["update"] }
path "transit/keys/period/trim"   { capabilities = ["update"] }

path "transit/keys/ckpt-dir/config" {
  capabilities       = ["update"]
  allowed_parameters = { "min_decryption_version" = [], "min_encryption_version" = [] }
}
path "transit/keys/ckpt-ev/config" {
  capabilities       = ["update"]
  allowed_parameters = { "min_decryption_version" = [], "min_encryption_version" = [] }
}
path "transit/keys/period/config" {
  capabilities       = ["update"]
  allowed_parameters = { "min_decryption_version" = [], "min_encryption_version" = [] }
}

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
