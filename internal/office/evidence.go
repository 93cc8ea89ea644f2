package office

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// acceptEvidence verifies a checkpoint of the evidence tree, holds it against
// the largest one seen and remembers the larger: two histories under one name
// would be noticed here. The caller holds the lock.
func (o *Office) acceptEvidence(ctx context.Context, signed []byte) (ledger.Checkpoint, error) {
	cp, err := o.checkpoint(o.held.charters, ledger.Ev, signed)
	if err != nil {
		return cp, err
	}
	m := o.Notebook.marks
	if len(m.Ev) > 0 {
		if err := o.oneHistory(ctx, cp, signed); err != nil {
			return cp, err
		}
	}
	o.roots[cp.Size] = cp.Root
	if len(m.Ev) == 0 || cp.Size >= claimedSize(m.Ev) {
		m.Ev = signed
	}
	o.countEvidence(&m, cp, signed)
	return cp, o.Notebook.commit(nil, m)
}

// oneHistory wants a verified checkpoint to belong to the tree seen before.
func (o *Office) oneHistory(ctx context.Context, cp ledger.Checkpoint, signed []byte) error {
	old, err := o.checkpoint(o.held.charters, ledger.Ev, o.Notebook.marks.Ev)
	if err != nil {
		return err
	}
	o.roots[old.Size] = old.Root
	root, known := o.roots[cp.Size]
	switch {
	case known && root != cp.Root:
		return o.lie("the evidence tree has two histories", o.Notebook.marks.Ev, signed)
	case known:
		return nil
	}
	return o.consistent(ctx, old, cp, signed)
}

// countEvidence remembers how much of the evidence tree a quorum confirmed.
func (o *Office) countEvidence(m *marks, cp ledger.Checkpoint, signed []byte) {
	list := o.held.present()
	if standing(list, ledger.Ev, signed).Standing != ledger.Confirmed {
		return
	}
	now := o.latest()
	seen := m.EvUntil
	if cp.Size > o.counted || len(m.EvCounted) == 0 {
		o.counted, m.EvCounted, seen = max(o.counted, cp.Size), signed, now
	}
	m.EvUntil = max(m.EvUntil, min(now, vouchedUntil(list[len(list)-1].policies[ledger.Ev], signed, seen)))
}

// seekEvidence looks by halving for the largest tree that a quorum confirmed, in
// the proofs of entries, before it is said that none did for long. The caller
// holds the lock.
func (o *Office) seekEvidence(ctx context.Context, size int64) error {
	for low, high := o.counted, size; low < high; {
		middle := low + (high-low)/2
		file, err := o.Client.Proof(ctx, wire.Ev, middle)
		if err != nil {
			return ctx.Err() // it confirms nothing today
		}
		proof, err := ledger.ParseProof(file)
		if err != nil {
			return o.lie(fmt.Sprintf("the proof of entry %d is none: %v", middle, err), file)
		}
		if _, err := o.acceptEvidence(ctx, proof.Checkpoint); err != nil {
			return err
		}
		if o.counted > middle {
			low = o.counted
		} else {
			high = middle
		}
	}
	return nil
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

// Confirmation is the proof that an item stands in the ledger, and how far
// others vouch for the checkpoint that it leads to.
type Confirmation struct {
	Vouched
	Proof []byte // .tlog-proof file; nil where there is none yet
	File  string // that keeps it, "" if none does
}

// Proof fetches the proof of an item and verifies it now; see [Office.Prove].
func (o *Office) Proof(ctx context.Context, item evidence.Item) ([]byte, error) {
	c, err := o.Prove(ctx, item)
	return c.Proof, err
}

// Prove fetches the proof of an item and verifies it now: that the item is what
// stands at its index, under a checkpoint of the one history. Where the item is
// an own act that the notebook keeps, the proof is kept with it.
func (o *Office) Prove(ctx context.Context, item evidence.Item) (Confirmation, error) {
	meta, _, err := openItem(item)
	if err != nil {
		return Confirmation{}, err
	}
	leaf, err := leafOf(item)
	if err != nil {
		return Confirmation{}, err
	}
	file, err := o.Client.Proof(ctx, wire.Ev, item.Idx)
	if err != nil {
		return Confirmation{}, err
	}
	proof, err := ledger.ParseProof(file)
	if err != nil {
		return Confirmation{}, o.lie(fmt.Sprintf("the proof of entry %d is none: %v", item.Idx, err), file)
	}
	v, err := o.proven(ctx, proof, item, leaf, meta.DirN)
	if err != nil {
		return Confirmation{}, err
	}
	c := Confirmation{Vouched: v, Proof: file}
	c.File, err = o.Notebook.keepProof(item.Idx, c)
	return c, errors.Join(err, o.Notebook.keepVerified(item.Idx, sha256.Sum256(leaf)))
}

// proven verifies a proof and judges its checkpoint.
func (o *Office) proven(ctx context.Context, proof ledger.Proof, item evidence.Item, leaf []byte, dirn int64) (Vouched, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cp, err := o.checkpoint(o.held.charters, ledger.Ev, proof.Checkpoint)
	if err != nil {
		return Vouched{}, err
	}
	if proof.Index != item.Idx || ledger.VerifyInclusion(proof.Path, cp, proof.Index, leaf) != nil {
		return Vouched{}, o.lie(fmt.Sprintf("entry %d is not what it showed", item.Idx), proof.Format(), leaf, item.Meta, item.Priv)
	}
	if _, err := o.acceptEvidence(ctx, proof.Checkpoint); err != nil {
		return Vouched{}, err
	}
	return o.vouchedSince(proof.Checkpoint, dirn), nil
}

// vouchedSince judges a checkpoint over an entry that was recorded when the
// directory had dirn entries: by the charter of that time or by any since, for
// the quorum may have come late. Only charters that count can confirm it, and
// nobody was asked only if neither the charter of that time nor the one that
// counted did. The caller holds the lock.
func (o *Office) vouchedSince(signed []byte, dirn int64) Vouched {
	r := o.held
	then := min(max(1, dirn), r.size())
	counting := between(r.charters, min(then, max(1, r.vouched)), max(1, r.vouched))
	for i := range counting {
		if v := standing(counting[i:i+1], ledger.Ev, signed); v.Standing == ledger.Confirmed {
			return v
		}
	}
	v := standing(slices.Concat(between(r.charters, then, then), counting[:1]), ledger.Ev, signed)
	if v.Standing == ledger.Confirmed {
		v.Standing = ledger.Provisional
	}
	return v
}

func leafOf(item evidence.Item) ([]byte, error) {
	opening, err := item.Opening()
	if err != nil {
		return nil, err
	}
	return opening.Leaf()
}

// recorded wants what a feed shows to stand in the ledger, once per entry, and
// says how far others vouch for it. What no checkpoint covers yet is shown as
// [NotConfirmed] and asked for again the next time.
func (o *Office) recorded(ctx context.Context, item evidence.Item) (ledger.Standing, error) {
	leaf, err := leafOf(item)
	if err != nil {
		return "", o.lie(fmt.Sprintf("entry %d is shown as no opening: %v", item.Idx, err), item.Meta, item.Priv)
	}
	sum := sha256.Sum256(leaf)
	have, ok := o.Notebook.verifiedLeaf(item.Idx)
	if ok && have != sum {
		return "", o.lie(fmt.Sprintf("entry %d is not what it showed before", item.Idx), leaf, item.Meta, item.Priv)
	}
	if !ok {
		_, err := o.Prove(ctx, item)
		if IsCode(err, "no_checkpoint") {
			return NotConfirmed, nil
		}
		if err != nil {
			return "", err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.standingOf(item.Idx), nil
}
