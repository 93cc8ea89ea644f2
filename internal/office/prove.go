package office

import (
	"context"
	"fmt"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// Evidence makes the evidence file of an item: statement, opening, proof, and
// the chain of keys from the genesis to whoever signed. Anyone checks it
// offline. How far others vouch for the checkpoint in it is said beside it; a
// provisional one is written all the same.
func (o *Office) Evidence(ctx context.Context, item evidence.Item) ([]byte, Vouched, error) {
	p, v, err := o.pieces(ctx, item)
	if err != nil {
		return nil, v, err
	}
	file, err := audit.BuildEvidence(p, o.chain(ctx))
	return file, v, err
}

// Receipt makes the consent receipt of a record: an evidence file over all its
// versions, for the person and whoever represents them.
// What is said beside it is that of the version that others vouch for least.
func (o *Office) Receipt(ctx context.Context, desk, consentID string) ([]byte, Vouched, error) {
	items, err := o.Seen(ctx, desk)
	if err != nil {
		return nil, Vouched{}, err
	}
	var least Vouched
	var versions []audit.Pieces
	for _, f := range items {
		if f.M == nil || f.M.Obj != consentID || f.P.Stmt == nil {
			continue
		}
		p, v, err := o.pieces(ctx, f.Item)
		if err != nil {
			return nil, v, err
		}
		if len(versions) == 0 || v.Standing == ledger.Provisional || v.Standing == ledger.Unwitnessed && least.Standing == ledger.Confirmed {
			least = v
		}
		versions = append(versions, p)
	}
	if len(versions) == 0 {
		return nil, least, fmt.Errorf("office: %s: %w", consentID, ErrNoRecord)
	}
	file, err := audit.BuildReceipt(versions, o.chain(ctx))
	return file, least, err
}

// ItemAt finds an item the desk may see by its index.
func (o *Office) ItemAt(ctx context.Context, desk string, idx int64) (evidence.Item, error) {
	items, err := o.Seen(ctx, desk)
	if err != nil {
		return evidence.Item{}, err
	}
	for _, f := range items {
		if f.Idx == idx {
			return f.Item, nil
		}
	}
	return evidence.Item{}, fmt.Errorf("office: %d: %w", idx, ErrNoEntry)
}

func (o *Office) pieces(ctx context.Context, item evidence.Item) (audit.Pieces, Vouched, error) {
	c, err := o.Confirm(ctx, item)
	return audit.Pieces{Item: item, Proof: c.Proof}, c.Vouched, err
}

// chain gives audit the directory's leaves as verified, and a proof of each.
func (o *Office) chain(ctx context.Context) audit.Chain {
	return audit.Chain{Leaf: o.leaf, Proof: func(idx int64) ([]byte, error) { return o.Client.Proof(ctx, wire.Dir, idx) }}
}

// leaf is an entry of the directory as verified.
func (o *Office) leaf(idx int64) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if idx < 0 || idx >= int64(len(o.Notebook.leaves)) {
		return nil, fmt.Errorf("office: directory entry %d is not verified yet", idx)
	}
	return o.Notebook.leaves[idx], nil
}
