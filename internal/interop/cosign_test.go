package interop

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/ledger"
)

// witnessed is a checkpoint with the keys of three witnesses: two of ours, and
// one of torchwood's.
type witnessed struct {
	*book
	ours   [2]*ledger.CosigningKey
	theirs *torchwood.CosignatureSigner
	vkeys  [3]string
}

func newWitnessed(t *testing.T) *witnessed {
	t.Helper()
	w := &witnessed{book: publish(t)}
	for i := range w.ours {
		seed := sha256.Sum256(fmt.Append(nil, "witness", i))
		k, err := ledger.NewCosigningKey(fmt.Sprintf("witness-%d.example", i), seed[:])
		if err != nil {
			t.Fatal(err)
		}
		w.ours[i], w.vkeys[i] = k, k.VerifierKey()
	}
	seed := sha256.Sum256([]byte("torchwood"))
	var err error
	if w.theirs, err = torchwood.NewCosignatureSigner("theirs.example", ed25519.NewKeyFromSeed(seed[:])); err != nil {
		t.Fatal(err)
	}
	if w.vkeys[2] = w.theirs.Verifier().String(); err != nil {
		t.Fatal(err)
	}
	return w
}

// policy asks for need of the three.
func (w *witnessed) policyText(need int) string {
	return fmt.Sprintf("log %s\nwitness a %s https://a.example\nwitness b %s\nwitness c %s\ngroup g %d a b c\nquorum g\n",
		w.key.VerifierKey(), w.vkeys[0], w.vkeys[1], w.vkeys[2], need)
}

// cosigned is the checkpoint with the cosignatures of the first n witnesses.
func (w *witnessed) cosigned(t *testing.T, n int) []byte {
	t.Helper()
	signed := slices.Clone(w.note)
	c, err := ledger.ParseCheckpoint(w.note, w.key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	for i := range min(n, 2) {
		signed = append(signed, w.ours[i].Cosign(c, 1772442002000)...)
	}
	if n > 2 {
		opened, err := note.Open(signed, note.VerifierList(w.key.Verifier(), w.ours[0].Verifier(), w.ours[1].Verifier()))
		if err != nil {
			t.Fatal(err)
		}
		if signed, err = note.Sign(opened, w.theirs); err != nil {
			t.Fatal(err)
		}
	}
	return signed
}

// Torchwood and we agree, for every number of cosignatures and every quorum,
// whether a policy is satisfied.
func TestTorchwoodReadsPolicy(t *testing.T) {
	w := newWitnessed(t)
	for need := 1; need <= 3; need++ {
		text := w.policyText(need)
		theirs, err := torchwood.ParsePolicy([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := ledger.ParsePolicy(text)
		if err != nil {
			t.Fatal(err)
		}
		for have := range 4 {
			signed := w.cosigned(t, have)
			_, _, err := torchwood.VerifyCheckpoint(signed, theirs)
			want := ledger.Provisional
			if have >= need {
				want = ledger.Confirmed
			}
			if got := ours.Standing(signed); got != want || (err == nil) != (want == ledger.Confirmed) {
				t.Errorf("%d of %d: we say %s, torchwood says %v", have, need, got, err)
			}
			if got := len(ours.Cosigned(signed)); got != have {
				t.Errorf("%d of %d: we count %d", have, need, got)
			}
		}
	}
}

// What one of the two refuses as a policy the other does not take for one with
// a quorum.
func TestTorchwoodRefusesPolicy(t *testing.T) {
	w := newWitnessed(t)
	for what, text := range map[string]string{
		"unknown member":  strings.Replace(w.policyText(2), "a b c", "a b d", 1),
		"no quorum":       strings.Replace(w.policyText(2), "quorum g\n", "", 1),
		"threshold of 4":  w.policyText(4),
		"threshold of 0":  w.policyText(0),
		"two quorums":     w.policyText(1) + "quorum a\n",
		"unknown keyword": w.policyText(1) + "sometimes a\n",
		"a name twice":    w.policyText(1) + "witness a " + w.vkeys[0] + "\n",
		"no such key":     strings.Replace(w.policyText(1), w.vkeys[0], "x+00000000+AAAA", 1),
	} {
		_, theirs := torchwood.ParsePolicy([]byte(text))
		_, ours := ledger.ParsePolicy(text)
		if theirs == nil || ours == nil {
			t.Errorf("%s: we say %v, torchwood says %v", what, ours, theirs)
		}
	}
}
