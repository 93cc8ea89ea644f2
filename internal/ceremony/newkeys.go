package ceremony

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// NewKey is a key that a statement brings in, to be compared on paper before
// anybody signs.
type NewKey struct {
	Who    string            // "council key 2", "the officer u_…"
	Digest string            // hex, of its fingerprint
	Key    ed25519.PublicKey // nil for what only receives
}

// NewKeys lists the keys of a statement that the directory does not hold in that
// place already.
func (t Teller) NewKeys(body directory.Body) []NewKey {
	switch b := body.(type) {
	case *directory.Genesis:
		return append(t.fresh("council key", b.Council.Keys, nil), t.freshDelegates(b.Delegates)...)
	case *directory.Policy:
		var council []ed25519.PublicKey
		if t.Dir != nil {
			council = t.Dir.Council().Keys
		}
		return append(t.fresh("council key", b.Council.Keys, council), t.freshDelegates(b.Delegates)...)
	case *directory.InstJoin:
		return t.fresh("root key", b.Root.Keys, nil)
	case *directory.InstRoot:
		return t.fresh("new root key", b.Keys, t.inst(b.I).Root.Keys)
	case *directory.InstRegistrars:
		return t.fresh("registrar key", b.Keys, t.inst(b.I).Registrars)
	case *directory.InstObserver:
		return t.fresh("observer key", []ed25519.PublicKey{b.Key}, []ed25519.PublicKey{t.inst(b.I).Observer})
	case *directory.InstCustodians:
		return t.freshCustodians(b)
	case *directory.OfficerEnrol:
		if t.Dir != nil {
			if o, ok := t.Dir.OfficerByKey(b.Key); ok && o.Rcp == b.Rcp {
				return nil
			}
		}
		return []NewKey{{"the officer " + t.called(b.U), Digest(b.Ed), b.Ed}}
	}
	return nil
}

func (t Teller) inst(i string) directory.Institution {
	if t.Dir == nil {
		return directory.Institution{}
	}
	inst, _ := t.Dir.Institution(i)
	return inst
}

func (t Teller) fresh(what string, keys, known []ed25519.PublicKey) []NewKey {
	var list []NewKey
	for i, k := range keys {
		if !slices.Contains(keyIDs(known), statement.KeyID(k)) {
			list = append(list, NewKey{fmt.Sprintf("%s %d", what, i+1), Digest(k), k})
		}
	}
	return list
}

func (t Teller) freshDelegates(delegates []directory.Delegate) []NewKey {
	var known []ed25519.PublicKey
	if t.Dir != nil {
		for _, d := range t.Dir.Delegates() {
			known = append(known, d.Key)
		}
	}
	var list []NewKey
	for i, d := range delegates {
		if !slices.Contains(keyIDs(known), statement.KeyID(d.Key)) {
			list = append(list, NewKey{fmt.Sprintf("delegate %d, in %s", i+1, t.called(d.I)), Digest(d.Key), d.Key})
		}
	}
	return list
}

// freshCustodians wants both halves of a custodian compared: what opens, and
// what signs a release.
func (t Teller) freshCustodians(b *directory.InstCustodians) []NewKey {
	known := t.inst(b.I).Custodians
	var list []NewKey
	for i, r := range b.Rcps {
		if !slices.Contains(known.Rcps, r) {
			list = append(list, NewKey{Who: fmt.Sprintf("custodian %d, what it opens with", i+1), Digest: directory.RecipientHash(r)})
		}
	}
	return append(list, t.fresh("the signing key of custodian", b.Keys, known.Keys)...)
}
