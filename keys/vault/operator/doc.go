// Package operator is what the operator of an exchange keeps in a Vault: the keys
// that sign the ledger's checkpoints ([Signer]), the key over the period keys of
// the shred layer ([Periods]) and the last checkpoint ([Anchor]). No key of an
// officer, a desk or an institution is among them.
//
// The names are [KeyDir], [KeyEv], [KeyPeriod] and [AnchorPath]; what a policy
// must allow for each stands in ../DESIGN.md.
//
// None of the three is asked while a database transaction is open. What Vault
// answers is checked before it is used; every error wraps one of package vault.
// All are safe for concurrent use.
package operator

import "github.com/odziv/odziv/ledger"

// Names in Vault. Keys lie in the transit engine, the anchor in the key-value
// store, followed by "/dir" and "/ev".
const (
	KeyDir     = "ckpt-dir"
	KeyEv      = "ckpt-ev"
	KeyPeriod  = "period"
	AnchorPath = "odziv/last-checkpoint"
)

// KeyOf names the key that signs the checkpoints of a log.
func KeyOf(log ledger.Log) string {
	if log == ledger.Dir {
		return KeyDir
	}
	return KeyEv
}
