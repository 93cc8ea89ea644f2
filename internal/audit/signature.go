package audit

import (
	"crypto/ed25519"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// maxSigners bounds the signatures of a statement in an opening: two officers.
const maxSigners = 2

// verifyStatement verifies every signature of a statement under the keys that
// find gives, that of the officer it names first; find is asked for the desk
// only of that officer.
func verifyStatement(d *statement.DSSE, by statement.By, find func(key, desk string) (Signer, []byte, error)) ([]Signer, error) {
	if len(d.Signatures) < 1 || len(d.Signatures) > maxSigners {
		return nil, fmt.Errorf("%d signatures, want 1 to %d", len(d.Signatures), maxSigners)
	}
	var who []Signer
	var keys []ed25519.PublicKey
	for _, sig := range d.Signatures {
		desk := ""
		if sig.KeyID == by.Key {
			desk = by.Desk
		}
		s, pub, err := find(sig.KeyID, desk)
		if err != nil {
			return nil, err
		}
		if desk != "" && s.Inst != by.Inst {
			return nil, fmt.Errorf("the officer of %s is not of %s", sig.KeyID, by.Inst)
		}
		if desk != "" {
			who = append([]Signer{s}, who...)
		} else {
			who = append(who, s)
		}
		keys = append(keys, pub)
	}
	if who[0].Key != by.Key {
		return nil, fmt.Errorf("the officer it names, %s, did not sign it", by.Key)
	}
	return who, d.Verify(keys...)
}
