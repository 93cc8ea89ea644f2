# /etc/vault.d/vault.hcl: the operator's Vault, one node of raft. Its address is in
# tls: the name must be in the certificate.
storage "raft" {
  path    = "/vault/file"
  node_id = "a"
}

listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/etc/odziv/tls/vault.pem"
  tls_key_file    = "/etc/odziv/tls/vault-key.pem"
  tls_min_version = "tls13"
}

api_addr     = "https://vault:8200"
cluster_addr = "https://vault:8201"

# Raft maps its file into memory, which cannot be locked: the machine must have no
# swap, or an encrypted one.
disable_mlock = true
ui            = false

log_level     = "info"
