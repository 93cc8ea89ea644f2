# For the timer that brings secret ids to the exchange: it may ask for one, wrapped,
# and for nothing else. It never sees the secret id, and cannot change what it may do.

path "auth/approle/role/odziv/secret-id" {
  capabilities      = ["create", "update"]
  denied_parameters = { "*" = [] }
  min_wrapping_ttl  = "1h"
  max_wrapping_ttl  = "72h"
}
path "auth/approle/role/odziv-api/secret-id" {
  capabilities      = ["create", "update"]
  denied_parameters = { "*" = [] }
  min_wrapping_ttl  = "1h"
  max_wrapping_ttl  = "72h"
}
path "auth/approle/role/odziv-signer/secret-id" {
  capabilities      = ["create", "update"]
  denied_parameters = { "*" = [] }
  min_wrapping_ttl  = "1h"
  max_wrapping_ttl  = "72h"
}

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
