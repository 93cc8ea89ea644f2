# For whoever keeps the institution's Vault day by day: sees which officers have
# keys, takes away what a person who left had there, locks her out. Signs nothing
# and reads no keystore.

path "transit-odziv/keys"   { capabilities = ["list"] }
path "transit-odziv/keys/+" { capabilities = ["read"] }

path "kv-odziv/metadata/"  { capabilities = ["list"] }
path "kv-odziv/metadata/+" { capabilities = ["read", "delete"] }

path "identity/entity/id"     { capabilities = ["list"] }
path "identity/entity/name"   { capabilities = ["list"] }
path "identity/entity/name/+" { capabilities = ["read"] }
path "identity/entity/id/+" {
  capabilities       = ["read", "update"]
  allowed_parameters = { "disabled" = [true, "true"] }
}

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
