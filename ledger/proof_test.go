package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// oneQuery counts the calls of Hashes.
type oneQuery struct {
	ledger.Reader
	calls int
}

func (r *oneQuery) Hashes(ctx context.Context, log ledger.Log, pos []int64) ([]tlog.Hash, error) {
	r.calls++
	return r.Reader.Hashes(ctx, log, pos)
}

// TestInclusionExhaustive proves every entry of every tree up to 70, and of
// those around the tile edges, and lets no proof speak for another entry.
func TestInclusionExhaustive(t *testing.T) {
	ctx := context.Background()
	sizes := []int64{255, 256, 257, 511, 512, 513, 600}
	for n := range int64(71) {
		sizes = append(sizes, n)
	}
	view(t, grown(t, 600), func(r ledger.Reader) {
		for _, size := range sizes {
			c := at(t, r, size)
			for idx := range size {
				counted := &oneQuery{Reader: r}
				p, err := ledger.ProveInclusion(ctx, counted, ledger.Ev, size, idx)
				if err != nil || counted.calls > 1 {
					t.Fatalf("%d of %d: %d queries, %v", idx, size, counted.calls, err)
				}
				if err := ledger.VerifyInclusion(p, c, idx, vectorEntry(idx)); err != nil {
					t.Fatal(err)
				}
				if err := ledger.VerifyInclusion(p, c, idx, []byte("forged")); !errors.Is(err, ledger.ErrProof) {
					t.Fatalf("%d of %d proves a forged entry: %v", idx, size, err)
				}
				if err := ledger.VerifyInclusion(p, c, (idx+1)%size, vectorEntry(idx)); size > 1 && !errors.Is(err, ledger.ErrProof) {
					t.Fatalf("%d of %d proves another index: %v", idx, size, err)
				}
			}
		}
	})
}

func TestConsistencyExhaustive(t *testing.T) {
	ctx := context.Background()
	sizes := []int64{255, 256, 257, 511, 512, 513, 600}
	for n := range int64(41) {
		sizes = append(sizes, n)
	}
	view(t, grown(t, 600), func(r ledger.Reader) {
		for _, old := range sizes {
			for _, new := range sizes {
				if old > new {
					continue
				}
				counted := &oneQuery{Reader: r}
				p, err := ledger.ProveConsistency(ctx, counted, ledger.Ev, old, new)
				if err != nil || counted.calls > 1 {
					t.Fatalf("%d to %d: %d queries, %v", old, new, counted.calls, err)
				}
				before, after := at(t, r, old), at(t, r, new)
				if err := ledger.VerifyConsistency(p, before, after); err != nil {
					t.Fatal(err)
				}
				before.Root[0] ^= 1
				if err := ledger.VerifyConsistency(p, before, after); !errors.Is(err, ledger.ErrProof) {
					t.Fatalf("%d to %d proves another old root: %v", old, new, err)
				}
				before.Root[0] ^= 1
				after.Root[0] ^= 1
				if err := ledger.VerifyConsistency(p, before, after); old > 0 && !errors.Is(err, ledger.ErrProof) {
					t.Fatalf("%d to %d proves another new root: %v", old, new, err)
				}
			}
		}
	})
}

// TestTamperedPaths changes, drops and adds hashes of proofs.
func TestTamperedPaths(t *testing.T) {
	ctx := context.Background()
	m := grown(t, 300)
	rapid.Check(t, func(t *rapid.T) {
		m.View(ctx, func(r ledger.Reader) error {
			size := rapid.Int64Range(2, 300).Draw(t, "size")
			idx := rapid.Int64Range(0, size-1).Draw(t, "idx")
			root, err := ledger.RootAt(ctx, r, ledger.Ev, size)
			if err != nil {
				t.Fatal(err)
			}
			p, err := ledger.ProveInclusion(ctx, r, ledger.Ev, size, idx)
			if err != nil {
				t.Fatal(err)
			}
			i := rapid.IntRange(0, len(p)-1).Draw(t, "hash")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				p = slices.Clone(p)
				p[i][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
			case 1:
				p = slices.Delete(slices.Clone(p), i, i+1)
			case 2:
				p = slices.Insert(slices.Clone(p), i, p[i])
			}
			c := ledger.Checkpoint{Origin: "ledger.example/ev", Size: size, Root: root}
			if err := ledger.VerifyInclusion(p, c, idx, vectorEntry(idx)); !errors.Is(err, ledger.ErrProof) {
				t.Fatalf("a tampered path verifies: %v", err)
			}
			return nil
		})
	})
}

func TestProofBounds(t *testing.T) {
	ctx := context.Background()
	view(t, grown(t, 5), func(r ledger.Reader) {
		for _, c := range [][2]int64{{5, -1}, {5, 5}, {0, 0}, {6, 0}, {-1, 0}, {ledger.MaxSize + 1, 0}, {1<<63 - 1, 0}} {
			if p, err := ledger.ProveInclusion(ctx, r, ledger.Ev, c[0], c[1]); err == nil {
				t.Errorf("proved %d in %d: %v", c[1], c[0], p)
			}
		}
		for _, c := range [][2]int64{{-1, 5}, {5, 4}, {3, 6}, {1, ledger.MaxSize + 1}, {1, 1<<63 - 1}} {
			if p, err := ledger.ProveConsistency(ctx, r, ledger.Ev, c[0], c[1]); err == nil {
				t.Errorf("proved %d to %d: %v", c[0], c[1], p)
			}
		}
		for _, size := range []int64{-1, 6, ledger.MaxSize + 1, 1<<63 - 1} {
			if root, err := ledger.RootAt(ctx, r, ledger.Ev, size); err == nil {
				t.Errorf("root at %d is %s", size, root)
			}
		}
		five := at(t, r, 5)
		huge := five
		huge.Size = 1<<63 - 1
		if err := ledger.VerifyInclusion(nil, huge, 0, []byte("x")); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("a tree beyond 2^53: %v", err)
		}
		if err := ledger.VerifyInclusion(nil, five, 0, nil); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("an empty entry: %v", err)
		}
		if err := ledger.VerifyConsistency(nil, five, huge); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("to a tree beyond 2^53: %v", err)
		}
		elsewhere := five
		elsewhere.Origin = "ledger.example/dir"
		if err := ledger.VerifyConsistency(nil, elsewhere, five); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("between two logs: %v", err)
		}
		empty := ledger.Checkpoint{Origin: five.Origin, Root: ledger.EmptyRoot()}
		if err := ledger.VerifyConsistency(tlog.TreeProof{{}}, empty, five); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("a hash too many from the empty tree: %v", err)
		}
		if err := ledger.VerifyConsistency(nil, empty, ledger.Checkpoint{Origin: five.Origin, Root: five.Root}); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("an empty tree with another root: %v", err)
		}
	})
}

func TestProofFor(t *testing.T) {
	ctx := context.Background()
	m := grown(t, 3)
	p := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{})
	proof := func(idx int64) (out ledger.Proof, err error) {
		view(t, m, func(r ledger.Reader) { out, err = ledger.ProofFor(ctx, r, ledger.Ev, idx) })
		return out, err
	}
	if _, err := proof(1); !errors.Is(err, ledger.ErrNotPublished) {
		t.Errorf("before a checkpoint: %v", err)
	}
	step(t, p, 1)
	first, err := proof(1)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Append(m, ledger.Ev, 1, storagetest.Leaves("more", 300)...)
	step(t, p, 2)
	step(t, p, 2+ledger.RefreshEvery)
	if again, err := proof(1); err != nil || !bytes.Equal(again.Format(), first.Format()) {
		t.Errorf("the proof changed as the log grew: %v", err)
	}
	if later, err := proof(3); err != nil {
		t.Error(err)
	} else if c, err := later.Verify([]byte("more 0"), key.Verifier()); err != nil || c.Size != 303 {
		t.Errorf("proof of entry 3: %+v, %v", c, err)
	}
	if _, err := proof(303); !errors.Is(err, ledger.ErrNotPublished) {
		t.Errorf("an entry that is not there: %v", err)
	}
	if _, err := proof(-1); err == nil {
		t.Error("proved entry -1")
	}
	if _, err := first.Verify(vectorEntry(1), storagetest.Key(ledger.Dir).Verifier()); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("under another key: %v", err)
	}
}

func TestParseProofRefuses(t *testing.T) {
	v := readVectors(t)
	if _, err := ledger.ParseProof([]byte(v.Proof)); err != nil {
		t.Fatal(err)
	}
	hash := "YcoROfaBWEHVuvLQ0tm9nf7pfImN1ve6DAqpQe5sAes=\n"
	for what, bad := range map[string]string{
		"empty":           "",
		"header only":     "c2sp.org/tlog-proof@v1\n",
		"no index":        strings.Replace(v.Proof, "index 2\n", "", 1),
		"another version": strings.Replace(v.Proof, "@v1", "@v2", 1),
		"leading blank":   "\n" + v.Proof,
		"extra data":      strings.Replace(v.Proof, "index", "extra AAAA\nindex", 1),
		"index twice":     strings.Replace(v.Proof, "index 2\n", "index 2\nindex 2\n", 1),
		"leading zero":    strings.Replace(v.Proof, "index 2", "index 02", 1),
		"negative":        strings.Replace(v.Proof, "index 2", "index -2", 1),
		"too large":       strings.Replace(v.Proof, "index 2", "index 9007199254740992", 1),
		"two spaces":      strings.Replace(v.Proof, "index 2", "index  2", 1),
		"carriage return": strings.Replace(v.Proof, "index 2\n", "index 2\r\n", 1),
		"short hash":      strings.Replace(v.Proof, "Aes=", "Ae=", 1),
		"hash respelled":  strings.Replace(v.Proof, "Aes=", "Aet=", 1),
		"54 hashes":       strings.Replace(v.Proof, hash, strings.Repeat(hash, 52), 1),
		"no checkpoint":   v.Proof[:strings.Index(v.Proof, "\n\n")+2],
		"extension line":  strings.Replace(v.Proof, "\n\n\u2014", "\nmore\n\n\u2014", 1),
		"cut short":       v.Proof[:len(v.Proof)-1],
		"too long":        v.Proof + strings.Repeat("x", ledger.MaxProof),
	} {
		if bad == v.Proof {
			t.Fatalf("%s: the case changes nothing", what)
		}
		if _, err := ledger.ParseProof([]byte(bad)); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if p, err := ledger.ParseProof([]byte(strings.Replace(v.Proof, hash, strings.Repeat(hash, 51), 1))); err != nil || len(p.Path) != 53 {
		t.Errorf("53 hashes: %v", err)
	}
}

// TestProofBytes changes every byte of a proof file; none may verify.
func TestProofBytes(t *testing.T) {
	v := readVectors(t)
	for i := range v.Proof {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			bad := []byte(v.Proof)
			bad[i] ^= bit
			p, err := ledger.ParseProof(bad)
			if err != nil {
				continue
			}
			if _, err := p.Verify(vectorEntry(v.ProofIndex), key.Verifier()); err == nil {
				t.Errorf("byte %d changed to %q: verifies", i, bad[i])
			}
		}
	}
}
