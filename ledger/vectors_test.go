package ledger_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/tlog"
)

// vectors is testdata/vectors.json, written by testdata/vectors.py.
type vectors struct {
	Entry       string
	Size        int64
	Roots       map[string]tlog.Hash
	RootsSHA256 string `json:"roots_sha256"`
	Nodes       int64
	NodesSHA256 string `json:"nodes_sha256"`
	Inclusion   []struct {
		Size, Index int64
		Path        tlog.RecordProof
	}
	Consistency []struct {
		Old, New int64
		Path     tlog.TreeProof
	}
	Seed       string
	Origin     string
	VKey       string
	Checkpoint string
	ProofIndex int64 `json:"proof_index"`
	Proof      string
	Tiles      map[string]string
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Roots) < 10 || len(v.Inclusion) < 5 || len(v.Consistency) < 5 || len(v.Tiles) < 5 {
		t.Fatal("testdata/vectors.json lacks vectors")
	}
	return v
}

func vectorEntry(i int64) []byte { return fmt.Appendf(nil, "entry %d", i) }

// grown returns a storage whose evidence log holds size vector entries.
func grown(t testing.TB, size int64) *storagetest.Memory {
	t.Helper()
	m := storagetest.NewMemory()
	var leaves [][]byte
	for i := range size {
		leaves = append(leaves, vectorEntry(i))
	}
	if err := storagetest.Append(m, ledger.Ev, 1000, leaves...); err != nil {
		t.Fatal(err)
	}
	return m
}

// view runs f on a snapshot of m.
func view(t testing.TB, m ledger.Storage, f func(r ledger.Reader)) {
	t.Helper()
	if err := m.View(context.Background(), func(r ledger.Reader) error { f(r); return nil }); err != nil {
		t.Fatal(err)
	}
}

// at is the checkpoint, unsigned, of a size of the evidence log.
func at(t testing.TB, r ledger.Reader, size int64) ledger.Checkpoint {
	t.Helper()
	root, err := ledger.RootAt(context.Background(), r, ledger.Ev, size)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Checkpoint{Origin: "ledger.example/ev", Size: size, Root: root}
}

func TestVectorRoots(t *testing.T) {
	v := readVectors(t)
	m := storagetest.NewMemory()
	all := sha256.New()
	for n := range v.Size + 1 {
		view(t, m, func(r ledger.Reader) {
			head, err := r.Head(context.Background(), ledger.Ev)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(head.Root[:])
			if want, ok := v.Roots[strconv.FormatInt(n, 10)]; ok && head.Root != want {
				t.Errorf("root at %d is %s, want %s", n, head.Root, want)
			}
		})
		if err := storagetest.Append(m, ledger.Ev, n, vectorEntry(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got := hex.EncodeToString(all.Sum(nil)); got != v.RootsSHA256 {
		t.Errorf("roots 0 to %d have digest %s, want %s", v.Size, got, v.RootsSHA256)
	}
}

func TestVectorNodes(t *testing.T) {
	v := readVectors(t)
	if got := tlog.StoredHashCount(v.Size); got != v.Nodes {
		t.Fatalf("%d nodes, want %d", got, v.Nodes)
	}
	all := sha256.New()
	view(t, grown(t, v.Size), func(r ledger.Reader) {
		for pos := range v.Nodes {
			h, err := r.Hashes(context.Background(), ledger.Ev, []int64{pos})
			if err != nil {
				t.Fatal(err)
			}
			all.Write(h[0][:])
		}
	})
	if got := hex.EncodeToString(all.Sum(nil)); got != v.NodesSHA256 {
		t.Errorf("nodes have digest %s, want %s", got, v.NodesSHA256)
	}
}

func TestVectorProofs(t *testing.T) {
	v := readVectors(t)
	ctx := context.Background()
	view(t, grown(t, v.Size), func(r ledger.Reader) {
		for _, c := range v.Inclusion {
			path, err := ledger.ProveInclusion(ctx, r, ledger.Ev, c.Size, c.Index)
			if err != nil || !slices.Equal(path, c.Path) {
				t.Errorf("path of %d in %d: %v, %v, want %v", c.Index, c.Size, path, err, c.Path)
			}
			if err := ledger.VerifyInclusion(c.Path, at(t, r, c.Size), c.Index, vectorEntry(c.Index)); err != nil {
				t.Error(err)
			}
		}
		for _, c := range v.Consistency {
			path, err := ledger.ProveConsistency(ctx, r, ledger.Ev, c.Old, c.New)
			if err != nil || !slices.Equal(path, c.Path) {
				t.Errorf("path from %d to %d: %v, %v, want %v", c.Old, c.New, path, err, c.Path)
			}
			if err := ledger.VerifyConsistency(c.Path, at(t, r, c.Old), at(t, r, c.New)); err != nil {
				t.Error(err)
			}
		}
	})
}

func vectorKey(t testing.TB, v vectors) *ledger.SigningKey {
	t.Helper()
	seed, err := hex.DecodeString(v.Seed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.NewSigningKey(v.Origin, seed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestVectorCheckpoint(t *testing.T) {
	v := readVectors(t)
	key := vectorKey(t, v)
	if key.VerifierKey() != v.VKey {
		t.Errorf("vkey %s, want %s", key.VerifierKey(), v.VKey)
	}
	want := ledger.Checkpoint{Origin: v.Origin, Size: v.Size, Root: v.Roots["600"]}
	note, err := ledger.SignCheckpoint(context.Background(), key, want)
	if err != nil || string(note) != v.Checkpoint {
		t.Errorf("checkpoint %q, %v, want %q", note, err, v.Checkpoint)
	}
	verifier, err := ledger.ParseVerifierKey(v.VKey)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ledger.ParseCheckpoint([]byte(v.Checkpoint), verifier); err != nil || got != want {
		t.Errorf("parsed %+v, %v", got, err)
	}
}

func TestVectorProofFile(t *testing.T) {
	v := readVectors(t)
	key := vectorKey(t, v)
	m := grown(t, 5)
	anchor := storagetest.NewAnchor()
	if _, _, err := ledger.NewPublisher(m, ledger.Ev, key, anchor, ledger.Unwatched{}).Step(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	view(t, m, func(r ledger.Reader) {
		p, err := ledger.ProofFor(context.Background(), r, ledger.Ev, v.ProofIndex)
		if err != nil || string(p.Format()) != v.Proof {
			t.Errorf("proof %q, %v, want %q", p.Format(), err, v.Proof)
		}
	})
	p, err := ledger.ParseProof([]byte(v.Proof))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := p.Verify(vectorEntry(v.ProofIndex), key.Verifier()); err != nil || c.Size != 5 {
		t.Errorf("verify: %+v, %v", c, err)
	}
}

func TestVectorTiles(t *testing.T) {
	v := readVectors(t)
	seen := 0
	view(t, grown(t, v.Size), func(r ledger.Reader) {
		for tile := range ledger.TreeTiles(v.Size) {
			data, err := ledger.ReadTile(context.Background(), r, ledger.Ev, tile)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(data)
			path := ledger.TilePath(tile)
			if hex.EncodeToString(sum[:]) != v.Tiles[path] {
				t.Errorf("%s has digest %x, want %s", path, sum, v.Tiles[path])
			}
			seen++
		}
	})
	if seen != len(v.Tiles) {
		t.Errorf("%d tiles, want %d", seen, len(v.Tiles))
	}
}
