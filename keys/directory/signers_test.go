package directory

import (
	"crypto/ed25519"
	"math/bits"
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"pgregory.net/rapid"
)

// The rule of signers against its definition, by trying all sets: a set is
// complete if it satisfies every group and no smaller part of it does.
func TestRollAgainstDefinition(t *testing.T) {
	keys := make([]ed25519.PublicKey, 7)
	for i := range keys {
		keys[i] = statement.NewSigningKey(append(make([]byte, 31), byte(i))).Public()
	}
	rapid.Check(t, func(t *rapid.T) {
		var groups []Group
		var sets []uint
		for range rapid.IntRange(1, 2).Draw(t, "groups") {
			set := uint(rapid.IntRange(1, 63).Draw(t, "set")) // key 6 is in no group
			g := Group{Role: "x", Need: rapid.IntRange(1, bits.OnesCount(set)).Draw(t, "need")}
			for i, k := range keys {
				if set>>i&1 == 1 {
					g.Keys = append(g.Keys, k)
				}
			}
			groups, sets = append(groups, g), append(sets, set)
		}
		satisfies := func(s uint) bool {
			for i, g := range groups {
				if bits.OnesCount(s&sets[i]) < g.Need {
					return false
				}
			}
			return true
		}
		r, fewest := newRoll(groups), len(keys)+1
		for s := range uint(1 << len(keys)) {
			want := satisfies(s) && s&^(sets[0]|sets[len(sets)-1]) == 0
			for part := range s {
				if part&^s == 0 && satisfies(part) {
					want = false
				}
			}
			d := &statement.DSSE{}
			for i, k := range keys {
				if s>>i&1 == 1 {
					d.Signatures = append(d.Signatures, statement.Signature{KeyID: statement.KeyID(k)})
				}
			}
			_, complete, err := r.tally(d)
			if got := err == nil && complete; got != want {
				t.Fatalf("set %07b of groups %07b needing %v: %v (%v), want %v", s, sets, groups, got, err, want)
			}
			if want {
				fewest = min(fewest, bits.OnesCount(s))
			}
		}
		if r.least() != fewest {
			t.Fatalf("least %d, want %d", r.least(), fewest)
		}
	})
}

// Why keys of small order are refused: a signature made without any private key
// verifies under each of them for some of few messages.
func TestSmallOrderKeysAreForgeable(t *testing.T) {
	if len(smallOrder) != 7 {
		t.Fatalf("%d keys", len(smallOrder))
	}
	for _, weak := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := slices.Clone(weak)
			key[31] |= sign
			if err := checkKey("key", key); err == nil {
				t.Errorf("%x accepted", key)
			}
		}
		if !forgeable(weak) {
			t.Errorf("%x: no forgery found, is it of small order?", weak)
		}
	}
	if err := checkKey("key", statement.NewSigningKey(make([]byte, 32)).Public()); err != nil {
		t.Error(err)
	}
}

// forgeable tries S = 0 with every point of small order as R.
func forgeable(key ed25519.PublicKey) bool {
	for m := range 64 {
		for _, r := range smallOrder {
			for _, sign := range []byte{0, 0x80} {
				sig := append(slices.Clone(r), make([]byte, 32)...)
				sig[31] |= sign
				if ed25519.Verify(key, []byte{byte(m)}, sig) {
					return true
				}
			}
		}
	}
	return false
}
