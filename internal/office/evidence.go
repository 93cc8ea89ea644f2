package office

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// acceptEvidence verifies a checkpoint of the evidence tree, holds it against
// the largest one seen and remembers the larger: two histories under one name
// would be noticed here. The caller holds the lock.
func (o *Office) acceptEvidence(ctx context.Context, signed []byte) (ledger.Checkpoint, error) {
	cp, err := o.checkpoint(o.dir, ledger.Ev, signed)
	if err != nil {
		return cp, err
	}
	if len(o.Notebook.marks.Ev) == 0 {
		return cp, o.rememberEvidence(cp, signed)
	}
	old, err := o.checkpoint(o.dir, ledger.Ev, o.Notebook.marks.Ev)
	if err != nil {
		return cp, err
	}
	o.roots[old.Size] = old.Root
	root, known := o.roots[cp.Size]
	if known && root != cp.Root {
		return cp, o.lie("the evidence tree has two histories", o.Notebook.marks.Ev, signed)
	}
	if known {
		return cp, nil
	}
	if err := o.consistent(ctx, old, cp, signed); err != nil {
		return cp, err
	}
	if cp.Size > old.Size {
		return cp, o.rememberEvidence(cp, signed)
	}
	o.roots[cp.Size] = cp.Root
	return cp, nil
}

func (o *Office) rememberEvidence(cp ledger.Checkpoint, signed []byte) error {
	o.roots[cp.Size] = cp.Root
	o.Notebook.marks.Ev = signed
	return o.Notebook.write(marksFile, o.Notebook.marks)
}

// consistent wants the smaller of two trees to be a prefix of the larger.
func (o *Office) consistent(ctx context.Context, old, cp ledger.Checkpoint, signed []byte) error {
	small, large := old, cp
	if cp.Size < old.Size {
		small, large = cp, old
	}
	hashes, err := o.Client.Consistency(ctx, wire.Ev, small.Size, large.Size)
	if err != nil {
		return err
	}
	proof := make(tlog.TreeProof, 0, len(hashes))
	for _, h := range hashes {
		proof = append(proof, tlog.Hash(h))
	}
	if err := ledger.VerifyConsistency(proof, small, large); err != nil {
		return o.lie("the evidence tree was rewritten", o.Notebook.marks.Ev, signed)
	}
	return nil
}

// Proof fetches the proof of an item and verifies it now: that the item is what
// stands at its index, under a checkpoint of the one history.
func (o *Office) Proof(ctx context.Context, item evidence.Item) ([]byte, error) {
	leaf, err := leafOf(item)
	if err != nil {
		return nil, err
	}
	file, err := o.Client.Proof(ctx, wire.Ev, item.Idx)
	if err != nil {
		return nil, err
	}
	proof, err := ledger.ParseProof(file)
	if err != nil {
		return nil, o.lie(fmt.Sprintf("the proof of entry %d is none: %v", item.Idx, err), file)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	v, err := verifier(o.dir, ledger.Ev)
	if err != nil {
		return nil, err
	}
	if _, err := proof.Verify(leaf, v); err != nil || proof.Index != item.Idx {
		return nil, o.lie(fmt.Sprintf("entry %d is not what it showed", item.Idx), file, leaf, item.Meta, item.Priv)
	}
	if _, err := o.acceptEvidence(ctx, proof.Checkpoint); err != nil {
		return nil, err
	}
	return file, nil
}

func leafOf(item evidence.Item) ([]byte, error) {
	opening, err := item.Opening()
	if err != nil {
		return nil, err
	}
	return opening.Leaf()
}

// recorded wants what a feed shows to stand in the ledger, once per entry. What
// no checkpoint covers yet is shown and asked for again the next time.
func (o *Office) recorded(ctx context.Context, item evidence.Item) error {
	leaf, err := leafOf(item)
	if errors.Is(err, evidence.ErrNoOpening) {
		return nil
	}
	if err != nil {
		return o.lie(fmt.Sprintf("entry %d is shown as no opening: %v", item.Idx, err), item.Meta, item.Priv)
	}
	sum := sha256.Sum256(leaf)
	if have, ok := o.Notebook.verifiedLeaf(item.Idx); ok {
		if have != sum {
			return o.lie(fmt.Sprintf("entry %d is not what it showed before", item.Idx), leaf, item.Meta, item.Priv)
		}
		return nil
	}
	_, err = o.Proof(ctx, item)
	if IsCode(err, "no_checkpoint") {
		return nil
	}
	if err != nil {
		return err
	}
	return o.Notebook.keepVerified(item.Idx, sum)
}
