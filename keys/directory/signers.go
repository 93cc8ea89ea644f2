package directory

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/statement"
)

// A Group is one condition on the signers of a statement: Need of Keys. A
// statement with several groups must satisfy each; one signature counts in every
// group that holds its key (as in TUF, where a key may stay through a change of
// root).
type Group struct {
	Role string // "registrars of i_…"
	Need int
	Keys []ed25519.PublicKey
}

func (g Group) String() string { return fmt.Sprintf("%d of the %d %s", g.Need, len(g.Keys), g.Role) }

// describe says in words who must sign.
func describe(groups []Group) string {
	parts := make([]string, len(groups))
	for i, g := range groups {
		parts[i] = g.String()
	}
	return strings.Join(parts, " and ")
}

// A roll is the groups of one statement with the key ids looked up.
type roll struct {
	groups []Group
	ids    []map[string]bool            // per group
	keys   map[string]ed25519.PublicKey // all eligible
}

func newRoll(groups []Group) *roll {
	r := &roll{groups: groups, keys: map[string]ed25519.PublicKey{}}
	for _, g := range groups {
		ids := make(map[string]bool, len(g.Keys))
		for _, k := range g.Keys {
			id := statement.KeyID(k)
			ids[id], r.keys[id] = true, k
		}
		r.ids = append(r.ids, ids)
	}
	return r
}

// lacking returns the first group that the signers do not satisfy, nil if none.
func (r *roll) lacking(signers []string) *Group {
	for i, g := range r.groups {
		have := 0
		for _, id := range signers {
			if r.ids[i][id] {
				have++
			}
		}
		if have < g.Need {
			return &r.groups[i]
		}
	}
	return nil
}

// surplus returns a signer without whom the rest would do. Signatures are
// themselves unsigned, so one more than needed would let a stranger change a leaf.
func (r *roll) surplus(signers []string) (string, bool) {
	for i, id := range signers {
		if r.lacking(slices.Delete(slices.Clone(signers), i, i+1)) == nil {
			return id, true
		}
	}
	return "", false
}

// tally counts the signatures of d without verifying them, and returns the keys
// they must verify under. An error means that more signatures cannot help.
func (r *roll) tally(d *statement.DSSE) (keys []ed25519.PublicKey, complete bool, err error) {
	var signers []string
	for _, s := range d.Signatures {
		key, ok := r.keys[s.KeyID]
		if !ok {
			return nil, false, ruled(ErrSigners, "%q may not sign this, only %s", clip(s.KeyID), describe(r.groups))
		}
		keys = append(keys, key)
		signers = append(signers, s.KeyID)
	}
	if err := checkDistinct("signatures", signers); err != nil {
		return nil, false, ruled(ErrSigners, "%w", err)
	}
	if id, ok := r.surplus(signers); ok {
		return nil, false, ruled(ErrSigners, "%s is one signature too many, want %s", id, describe(r.groups))
	}
	return keys, r.lacking(signers) == nil, nil
}

// verify holds every signature against its key.
func verify(d *statement.DSSE, keys []ed25519.PublicKey) error {
	if err := d.Verify(keys...); err != nil {
		return ruled(ErrSigners, "%w", err)
	}
	return nil
}

// least is the smallest number of signatures that can satisfy two groups at most.
func (r *roll) least() int {
	total := 0
	for _, g := range r.groups {
		total += g.Need
	}
	if len(r.groups) != 2 {
		return total
	}
	shared := 0
	for id := range r.ids[0] {
		if r.ids[1][id] {
			shared++
		}
	}
	return total - min(shared, r.groups[0].Need, r.groups[1].Need)
}

// eligible lists the key ids that may sign, in order.
func (r *roll) eligible() []string {
	ids := make([]string, 0, len(r.keys))
	for id := range r.keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
