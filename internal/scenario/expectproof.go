package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// proof is what somebody keeps in order to show later that something stands in
// the ledger. It holds everything needed to verify it without the exchange.
type proof struct {
	file []byte // .tlog-proof
	item evidence.Item
	vkey string // of the ledger, as the directory named it
}

// proofHolds gets a proof, or takes the one got earlier, and verifies it
// offline.
func (c *cast) proofHolds(ctx context.Context, e *ProofExpect, d *differences) error {
	key := e.By + " " + e.Of
	p, kept := c.kept[key]
	if !kept {
		var err error
		if p, err = c.prove(ctx, e); err != nil {
			return err
		}
		c.kept[key] = p
	}
	equal(d, "kept", e.Kept, kept)
	err := p.verify()
	if e.Verifies == nil && err != nil {
		d.add("proof", "%v", err)
	}
	equal(d, "verifies", e.Verifies, err == nil)
	return nil
}

// prove fetches the proof of the first leaf about a thing, as an actor who was
// told of it.
func (c *cast) prove(ctx context.Context, e *ProofExpect) (*proof, error) {
	o, _, err := c.office(ctx, e.By)
	if err != nil {
		return nil, err
	}
	items, err := c.feedOf(ctx, e.By)
	if err != nil {
		return nil, err
	}
	if err := c.w.Published(ctx); err != nil {
		return nil, err
	}
	for _, f := range items {
		if f.M == nil || f.Idx != c.things[e.Of].idx {
			continue
		}
		file, err := o.Proof(ctx, f.Item)
		return &proof{file: file, item: f.Item, vkey: o.Directory().Logs().Ev}, err
	}
	return nil, fmt.Errorf("%s was never told of %s", e.By, e.Of)
}

// verify needs nothing but what is kept.
func (p *proof) verify() error {
	opening, err := p.item.Opening()
	if err != nil {
		return err
	}
	leaf, err := opening.Leaf()
	if err != nil {
		return err
	}
	parsed, err := ledger.ParseProof(p.file)
	if err != nil {
		return err
	}
	v, err := ledger.ParseVerifierKey(p.vkey)
	if err != nil {
		return err
	}
	if _, err := parsed.Verify(leaf, v); err != nil {
		return err
	}
	if parsed.Index != p.item.Idx {
		return errors.New("the proof is of another entry")
	}
	return nil
}
