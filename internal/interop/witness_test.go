package interop

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"filippo.io/torchwood"

	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// asking is a server's way to its witnesses, under a policy that stands.
type asking struct {
	policy *ledger.Policy
	client *witness.Client
}

func askUnder(t *testing.T, policy string) *asking {
	t.Helper()
	p, err := ledger.ParsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	return &asking{p, witness.NewClient(nil)}
}

func (a *asking) Policy(ledger.Log) *ledger.Policy { return a.policy }

func (a *asking) Ask(ctx context.Context, w ledger.Witness, c ledger.Checkpoint, signed []byte, prove ledger.ProveFrom) ([]byte, error) {
	return a.client.Ask(ctx, w, c, signed, prove)
}

func grow(t *testing.T, s ledger.Storage, name string, n int) {
	t.Helper()
	if err := storagetest.Append(s, ledger.Ev, 1772442000000, storagetest.Leaves(name, n)...); err != nil {
		t.Fatal(err)
	}
}

// Litewitness cosigns our checkpoints as they grow, in the same process and
// after a restart, and torchwood finds the quorum met.
func TestLitewitnessCosigns(t *testing.T) {
	key := storagetest.Key(ledger.Ev)
	url, vkey := startLitewitness(t, key)
	policy := fmt.Sprintf("witness lw %s %s\nquorum lw\n", vkey, url)
	theirs, err := torchwood.ParsePolicy([]byte("log " + key.VerifierKey() + "\n" + policy))
	if err != nil {
		t.Fatal(err)
	}
	store, anchor := storagetest.NewMemory(), storagetest.NewAnchor()
	for round, n := range []int{1, 1, 5, 250, 300, 1, 1000} {
		grow(t, store, fmt.Sprint(round), n)
		// A new publisher each time: a server that restarted knows no size of the witness.
		p := ledger.NewPublisher(store, ledger.Ev, key, anchor, askUnder(t, policy))
		got, did, err := p.Step(t.Context(), int64(round)*1000)
		if err != nil || !did || !got.Quorum || got.Cosigs != 1 {
			t.Fatalf("round %d: published %v, quorum %v, %v", round, did, got.Quorum, err)
		}
		if c, _, err := torchwood.VerifyCheckpoint(got.Note, theirs); err != nil || c.N != got.Size {
			t.Fatalf("round %d: torchwood: %v", round, err)
		}
	}
	p := ledger.NewPublisher(store, ledger.Ev, key, anchor, askUnder(t, policy))
	if err := p.Consult(t.Context(), 9000); err != nil {
		t.Errorf("the same checkpoint again: %v", err)
	}
}

// A ledger restored from an old backup, and one that was forked, get no
// cosignature from litewitness, and the signer stops.
func TestLitewitnessContradicts(t *testing.T) {
	key := storagetest.Key(ledger.Ev)
	url, vkey := startLitewitness(t, key)
	policy := fmt.Sprintf("witness lw %s %s\nquorum lw\n", vkey, url)
	step := func(s ledger.Storage) (ledger.Published, error) {
		got, _, err := ledger.NewPublisher(s, ledger.Ev, key, storagetest.NewAnchor(), askUnder(t, policy)).Step(t.Context(), 1000)
		return got, err
	}
	store := storagetest.NewMemory()
	grow(t, store, "entry", 300)
	if got, err := step(store); err != nil || !got.Quorum {
		t.Fatal(got.Quorum, err)
	}
	old := storagetest.NewMemory()
	grow(t, old, "entry", 200)
	if _, err := step(old); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("an old backup: %v", err)
	}
	forked := storagetest.NewMemory()
	grow(t, forked, "other", 400)
	if _, err := step(forked); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("a fork: %v", err)
	}
	same := storagetest.NewMemory()
	grow(t, same, "other", 300)
	if _, err := step(same); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("a fork of the same size: %v", err)
	}
	grow(t, store, "more", 50)
	p := ledger.NewPublisher(store, ledger.Ev, key, storagetest.NewAnchor(), askUnder(t, policy))
	if err := p.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _, err := p.Step(t.Context(), 2000); err != nil || !got.Quorum {
		t.Errorf("the one history goes on: quorum %v, %v", got.Quorum, err)
	}
}
