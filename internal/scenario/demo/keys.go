package demo

import (
	"crypto/ed25519"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/keys/keystore"
)

// authorities are the keys above the institutions: a council of one, and two
// delegates, since two sign what admits an institution.
type authorities struct {
	council   *keystore.Keystore
	delegates []*keystore.Keystore
}

// newAuthorities makes them. The delegates sit in bodies that exist in every
// demonstration: the center, and whom it escalates to.
func (w *World) newAuthorities() (err error) {
	if w.keys.council, err = w.newKeys(keystore.Owner{Role: keystore.Council}); err != nil {
		return err
	}
	for _, code := range []string{center, w.byCode[center].EscalatesTo} {
		d, err := w.newKeys(keystore.Owner{Role: keystore.Delegate, Inst: w.byCode[code].ID})
		if err != nil {
			return err
		}
		w.keys.delegates = append(w.keys.delegates, d)
	}
	return nil
}

func (w *World) newKeys(owner keystore.Owner) (*keystore.Keystore, error) {
	return keystore.Generate(owner, w.Clock.Now(), keystore.Options{Demo: true})
}

// alone is a root or council of one key.
func alone(k *keystore.Keystore) directory.Root {
	return directory.Root{K: 1, Keys: []ed25519.PublicKey{k.Signer().Public()}}
}

func signers(keys ...*keystore.Keystore) []statement.Signer {
	list := make([]statement.Signer, 0, len(keys))
	for _, k := range keys {
		list = append(list, k.Signer())
	}
	return list
}

func publics(keys ...*keystore.Keystore) []ed25519.PublicKey {
	list := make([]ed25519.PublicKey, 0, len(keys))
	for _, k := range keys {
		list = append(list, k.Signer().Public())
	}
	return list
}
