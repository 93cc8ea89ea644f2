# For every officer of an institution that has a Vault of its own: the key that
# signs for her, and the rest of her keystore. {{identity.entity.id}} is the entity
# that she logged in as, so that one policy serves all and reaches nobody else's.

path "transit-odziv/keys/officer-{{identity.entity.id}}" {
  capabilities       = ["create", "update", "read"]
  allowed_parameters = { "type" = ["ed25519"], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}
# A key that she had in a file, brought here by odziv keys move.
path "transit-odziv/keys/officer-{{identity.entity.id}}/import" {
  capabilities       = ["update"]
  allowed_parameters = { "type" = ["ed25519"], "ciphertext" = [], "hash_function" = [], "allow_rotation" = [], "exportable" = [false, "false"], "allow_plaintext_backup" = [false, "false"] }
}
path "transit-odziv/wrapping_key" { capabilities = ["read"] }

path "transit-odziv/sign/officer-{{identity.entity.id}}" { capabilities = ["update"] }

path "kv-odziv/data/officer-{{identity.entity.id}}"     { capabilities = ["create", "read", "update"] }
path "kv-odziv/metadata/officer-{{identity.entity.id}}" {
  capabilities       = ["create", "update", "read"]
  allowed_parameters = { "cas_required" = [true], "max_versions" = [] }
}

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
