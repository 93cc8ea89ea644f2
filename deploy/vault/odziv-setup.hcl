# For a person, once: makes or imports the three keys, and proves that an imported
# one signs as its seed does. No key that can be taken out again comes of it. Vault
# wants "update" to make a key, and leaves one that is there as it is.

path "transit/keys/ckpt-dir" {
  capabilities       = ["create", "update", "read"]
  allowed_parameters = { "type" = ["ed25519"], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}
path "transit/keys/ckpt-ev" {
  capabilities       = ["create", "update", "read"]
  allowed_parameters = { "type" = ["ed25519"], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}
path "transit/keys/period" {
  capabilities       = ["create", "update", "read"]
  allowed_parameters = { "type" = ["aes256-gcm96"], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}

path "transit/wrapping_key" { capabilities = ["read"] }
path "transit/keys/ckpt-dir/import" {
  capabilities       = ["create", "update"]
  allowed_parameters = { "type" = ["ed25519"], "ciphertext" = [], "hash_function" = [], "allow_rotation" = [], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}
path "transit/keys/ckpt-ev/import" {
  capabilities       = ["create", "update"]
  allowed_parameters = { "type" = ["ed25519"], "ciphertext" = [], "hash_function" = [], "allow_rotation" = [], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}
path "transit/sign/ckpt-dir" { capabilities = ["update"] }
path "transit/sign/ckpt-ev"  { capabilities = ["update"] }

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
