# For whoever checks: settings, never a value, a signature or a key.

path "transit/keys"          { capabilities = ["list"] }
path "transit/keys/ckpt-dir" { capabilities = ["read"] }
path "transit/keys/ckpt-ev"  { capabilities = ["read"] }
path "transit/keys/period"   { capabilities = ["read"] }

path "kv/metadata/odziv/last-checkpoint"     { capabilities = ["list"] }
path "kv/metadata/odziv/last-checkpoint/dir" { capabilities = ["read"] }
path "kv/metadata/odziv/last-checkpoint/ev"  { capabilities = ["read"] }

path "auth/approle/role/odziv"        { capabilities = ["read"] }
path "auth/approle/role/odziv-api"    { capabilities = ["read"] }
path "auth/approle/role/odziv-signer" { capabilities = ["read"] }

path "sys/policies/acl"   { capabilities = ["list"] }
path "sys/policies/acl/+" { capabilities = ["read"] }
path "sys/audit"          { capabilities = ["read", "sudo"] }
path "sys/mounts"         { capabilities = ["read"] }
path "sys/auth"           { capabilities = ["read"] }
path "sys/mounts/+"       { capabilities = ["read"] }
path "sys/auth/+"         { capabilities = ["read", "sudo"] }

path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
