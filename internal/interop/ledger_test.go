package interop

import (
	"context"
	"errors"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

const size = 600 // two tile edges

// book is a published log.
type book struct {
	store  ledger.Storage
	key    *ledger.SigningKey
	leaves [][]byte
	note   []byte
	policy torchwood.Policy
}

func publish(t *testing.T) *book {
	t.Helper()
	b := &book{store: storagetest.NewMemory(), key: storagetest.Key(ledger.Ev), leaves: storagetest.Leaves("entry", size)}
	if err := storagetest.Append(b.store, ledger.Ev, 1772442000000, b.leaves...); err != nil {
		t.Fatal(err)
	}
	pub := ledger.NewPublisher(b.store, ledger.Ev, b.key, storagetest.NewAnchor(), ledger.Unwatched{})
	p, done, err := pub.Step(context.Background(), 1772442001000)
	if err != nil || !done {
		t.Fatal(done, err)
	}
	b.note = p.Note
	b.policy = policyOf(t, b.key)
	return b
}

func policyOf(t *testing.T, key *ledger.SigningKey) torchwood.Policy {
	t.Helper()
	p, err := torchwood.ParsePolicy([]byte("log " + key.VerifierKey() + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *book) proof(t *testing.T, idx int64) (p ledger.Proof) {
	t.Helper()
	err := b.store.View(context.Background(), func(r ledger.Reader) (err error) {
		p, err = ledger.ProofFor(context.Background(), r, ledger.Ev, idx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Torchwood accepts our checkpoint under the key that the directory names, and
// under no other.
func TestTorchwoodVerifiesCheckpoint(t *testing.T) {
	b := publish(t)
	c, _, err := torchwood.VerifyCheckpoint(b.note, b.policy)
	if err != nil {
		t.Fatal(err)
	}
	if c.N != size || c.Hash != storagetest.MTH(b.leaves) || c.Origin != b.key.Verifier().Name() || c.Extension != "" {
		t.Errorf("torchwood reads %+v", c)
	}
	if _, _, err := torchwood.VerifyCheckpoint(b.note, policyOf(t, storagetest.Key(ledger.Dir))); err == nil {
		t.Error("accepted under the key of the other log")
	}
}

// Torchwood accepts our proof files of every entry, for that entry only, and we
// accept the ones it writes.
func TestTorchwoodVerifiesProofs(t *testing.T) {
	b := publish(t)
	for idx := range int64(size) {
		ours := b.proof(t, idx)
		if err := torchwood.VerifyProof(b.policy, tlog.RecordHash(b.leaves[idx]), ours.Format()); err != nil {
			t.Fatalf("entry %d: %v", idx, err)
		}
		var wrong *torchwood.VerifyRecordError
		if err := torchwood.VerifyProof(b.policy, tlog.RecordHash(b.leaves[(idx+1)%size]), ours.Format()); !errors.As(err, &wrong) {
			t.Fatalf("entry %d proves its neighbour: %v", idx, err)
		}
		theirs, err := ledger.ParseProof(torchwood.FormatProof(idx, ours.Path, b.note))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Verify(b.leaves[idx], b.key.Verifier()); err != nil {
			t.Fatalf("entry %d: %v", idx, err)
		}
	}
}

// tiles serves our tiles to torchwood's client.
type tiles struct{ b *book }

func (s tiles) ReadTiles(ctx context.Context, want []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	err := s.b.store.View(ctx, func(r ledger.Reader) error {
		for _, t := range want {
			d, err := ledger.ReadTile(ctx, r, ledger.Ev, t)
			if err != nil {
				return err
			}
			data = append(data, d)
		}
		return nil
	})
	return data, err
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (s tiles) ReadEndpoint(context.Context, string) ([]byte, error) { return s.b.note, nil }

// Torchwood's client reads every entry from our tiles, checking each against
// the checkpoint.
func TestTorchwoodReadsTiles(t *testing.T) {
	b := publish(t)
	b.wantAll(t, tiles{b})
	for tile := range ledger.TreeTiles(size) {
		if theirs, err := torchwood.ParseTilePath(ledger.TilePath(tile)); err != nil || theirs != tile {
			t.Errorf("%s: %v, %v", ledger.TilePath(tile), theirs, err)
		}
	}
}

// A third implementation of RFC 6962 accepts our inclusion and consistency
// proofs.
func TestMerkleVerifiesProofs(t *testing.T) {
	b := publish(t)
	root := storagetest.MTH(b.leaves)
	for idx := range int64(size) {
		p := b.proof(t, idx)
		leaf := rfc6962.DefaultHasher.HashLeaf(b.leaves[idx])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(idx), size, leaf, raw(p.Path), root[:]); err != nil {
			t.Fatalf("entry %d: %v", idx, err)
		}
	}
	for _, old := range []int64{1, 2, 3, 255, 256, 257, 511, 512, 599, 600} {
		var p tlog.TreeProof
		err := b.store.View(context.Background(), func(r ledger.Reader) (err error) {
			p, err = ledger.ProveConsistency(context.Background(), r, ledger.Ev, old, size)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		before := storagetest.MTH(b.leaves[:old])
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old), size, raw(p), before[:], root[:]); err != nil {
			t.Errorf("from %d: %v", old, err)
		}
		before[0] ^= 1
		if proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old), size, raw(p), before[:], root[:]) == nil {
			t.Errorf("from %d: proves another tree", old)
		}
	}
}

func raw(hashes []tlog.Hash) [][]byte {
	list := make([][]byte, len(hashes))
	for i := range hashes {
		list[i] = hashes[i][:]
	}
	return list
}
