# What the exchange's API needs of the operator's Vault: the key over the keys of
# stored blobs, to use, never to see. "create" would make a key that is missing
# without a word, so it is not here.

path "transit/encrypt/period" { capabilities = ["update"] }
path "transit/decrypt/period" { capabilities = ["update"] }

# Its own token, in the place of Vault's policy "default", which grants more.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self"  { capabilities = ["update"] }
