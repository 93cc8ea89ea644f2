package proving

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// history is one of the two that an evil operator signs.
type history struct {
	store ledger.Storage
	head  ledger.Checkpoint
	note  []byte
}

func newHistory(t *testing.T, own string) history {
	t.Helper()
	h := history{store: storagetest.NewMemory()}
	for _, part := range [][][]byte{storagetest.Leaves("common", 3), storagetest.Leaves(own, 5)} {
		if err := storagetest.Append(h.store, ledger.Ev, 1, part...); err != nil {
			t.Fatal(err)
		}
	}
	err := h.store.View(t.Context(), func(r ledger.Reader) error {
		head, err := r.Head(t.Context(), ledger.Ev)
		h.head = ledger.Checkpoint{Origin: storagetest.Key(ledger.Ev).Verifier().Name(), Size: head.Size, Root: head.Root}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.note = h.sign(t, h.head)
	return h
}

func (h history) sign(t *testing.T, c ledger.Checkpoint) []byte {
	t.Helper()
	signed, err := ledger.SignCheckpoint(t.Context(), storagetest.Key(ledger.Ev), c)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// ask brings the history to an honest witness, which holds a tree of size old.
func (h history) ask(t *testing.T, w *witness.Witness, old int64) ([]byte, error) {
	t.Helper()
	var proof tlog.TreeProof
	err := h.store.View(t.Context(), func(r ledger.Reader) (err error) {
		proof, err = ledger.ProveConsistency(t.Context(), r, ledger.Ev, old, h.head.Size)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.Add(t.Context(), witness.Request{Old: old, Proof: proof, Checkpoint: h.note}.Format())
}

// TestQuorumForbidsForks lets an operator who holds the ledger's key, with f
// witnesses on its side, show each honest witness either history first, in every
// way there is. Never are both confirmed. With as many evil witnesses as two
// quorums must share, they are.
func TestQuorumForbidsForks(t *testing.T) {
	for _, c := range []struct{ n, f, quorum int }{{4, 1, 3}, {6, 1, 4}, {6, 2, 5}} {
		t.Run(fmt.Sprintf("%d of %d", c.quorum, c.n), func(t *testing.T) {
			for evil := range c.f + 1 {
				if forks := forksAmong(t, c.n, evil, c.quorum); forks > 0 {
					t.Errorf("%d evil witnesses: both histories confirmed in %d ways", evil, forks)
				}
			}
			enough := 2*c.quorum - c.n // two quorums share that many witnesses at least
			if forksAmong(t, c.n, enough, c.quorum) == 0 {
				t.Errorf("%d evil witnesses cannot fork: the test shows nothing", enough)
			}
		})
	}
}

// forksAmong counts the ways in which both histories are confirmed.
func forksAmong(t *testing.T, n, evil, quorum int) (forks int) {
	t.Helper()
	a, b := newHistory(t, "a"), newHistory(t, "b")
	keys, policy := witnessKeys(t, n, quorum)
	dir := memoryDir(t)
	for way := range 1 << (n - evil) {
		signedA, signedB := slices.Clone(a.note), slices.Clone(b.note)
		for i, key := range keys {
			if i < evil {
				signedA, signedB = append(signedA, key.both(t, a)...), append(signedB, key.both(t, b)...)
				continue
			}
			w := key.honest(t, filepath.Join(dir, fmt.Sprint(evil, way, i)))
			first, second := a, b
			if way>>(i-evil)&1 == 1 {
				first, second = b, a
			}
			line, err := first.ask(t, w, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := second.ask(t, w, 0); err == nil {
				t.Fatal("an honest witness cosigned two histories")
			}
			if way>>(i-evil)&1 == 0 {
				signedA = append(signedA, line...)
			} else {
				signedB = append(signedB, line...)
			}
		}
		if policy.Standing(signedA) == ledger.Confirmed && policy.Standing(signedB) == ledger.Confirmed {
			forks++
		}
	}
	return forks
}

// witnessKey is one witness of the policy.
type witnessKey struct {
	*witness.Key
}

func witnessKeys(t *testing.T, n, quorum int) (keys []witnessKey, policy *ledger.Policy) {
	t.Helper()
	var text, names strings.Builder
	for i := range n {
		seed := sha256.Sum256(fmt.Append(nil, "quorum", i))
		k, err := witness.NewKey(fmt.Sprintf("w%d.example", i), statement.NewSigningKey(seed[:]))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, witnessKey{k})
		fmt.Fprintf(&text, "witness w%d %s\n", i, k.VerifierKey())
		fmt.Fprintf(&names, " w%d", i)
	}
	policy, err := ledger.ParsePolicy(fmt.Sprintf("%sgroup g %d%s\nquorum g\n", &text, quorum, &names))
	if err != nil {
		t.Fatal(err)
	}
	return keys, policy
}

// both cosigns whatever it is shown.
func (k witnessKey) both(t *testing.T, h history) []byte {
	t.Helper()
	line, err := k.Cosign(context.Background(), h.head, start)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// honest is a witness with this key that has seen nothing yet.
func (k witnessKey) honest(t *testing.T, dir string) *witness.Witness {
	t.Helper()
	memory, err := witness.OpenMemory(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memory.Close() })
	return &witness.Witness{Key: k.Key, Memory: memory, Clock: func() int64 { return start },
		Verifiers: func(string) []note.Verifier { return []note.Verifier{storagetest.Key(ledger.Ev).Verifier()} }}
}
