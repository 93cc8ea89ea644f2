package office

import (
	"context"
	"fmt"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/evidence"
)

// Evidence makes the evidence file of an item: statement, opening, proof, and
// the chain of keys from the genesis to whoever signed. Anyone checks it
// offline.
func (o *Office) Evidence(ctx context.Context, item evidence.Item) ([]byte, error) {
	p, err := o.pieces(ctx, item)
	if err != nil {
		return nil, err
	}
	return audit.BuildEvidence(p, o.chain(ctx))
}

// Receipt makes the consent receipt of a record: an evidence file over all its
// versions, for the person and whoever represents them.
func (o *Office) Receipt(ctx context.Context, desk, consentID string) ([]byte, error) {
	items, err := o.Seen(ctx, desk)
	if err != nil {
		return nil, err
	}
	var versions []audit.Pieces
	for _, f := range items {
		if f.M == nil || f.M.Obj != consentID || f.P.Stmt == nil {
			continue
		}
		p, err := o.pieces(ctx, f.Item)
		if err != nil {
			return nil, err
		}
		versions = append(versions, p)
	}
	if len(versions) == 0 {
		return nil, fmt.Errorf("office: %s: %w", consentID, ErrNoRecord)
	}
	return audit.BuildReceipt(versions, o.chain(ctx))
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

func (o *Office) pieces(ctx context.Context, item evidence.Item) (audit.Pieces, error) {
	proof, err := o.Confirm(ctx, item)
	return audit.Pieces{Item: item, Proof: proof}, err
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
