package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/office"
)

// proof is what somebody keeps in order to show later that something stands in
// the ledger: an evidence file, verified without the exchange and without any
// key but the hash of the genesis.
type proof struct {
	idx     int64
	file    []byte // evidence file
	receipt []byte // of an issued consent receipt: the document itself
	digest  string // of the receipt, as the evidence file records it
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
	err := p.verify(c.w.Genesis)
	if e.Verifies == nil && err != nil {
		d.add("proof", "%v", err)
	}
	equal(d, "verifies", e.Verifies, err == nil)
	return nil
}

// prove makes the evidence file of the first leaf about a thing, as an actor who
// was told of it.
func (c *cast) prove(ctx context.Context, e *ProofExpect) (*proof, error) {
	o, _, err := c.office(ctx, e.By)
	if err != nil {
		return nil, err
	}
	items, err := c.feedOf(ctx, e.By)
	if err != nil {
		return nil, err
	}
	t := c.things[e.Of]
	for _, f := range items {
		if f.M == nil || f.Idx != t.idx {
			continue
		}
		piece, err := c.piece(ctx, o, f.Item)
		if err != nil {
			return nil, err
		}
		file, err := audit.BuildEvidence(piece, c.chain(ctx, o))
		return &proof{idx: f.Idx, file: file, receipt: t.receipt, digest: t.digest}, err
	}
	return nil, fmt.Errorf("%s was never told of %s", e.By, e.Of)
}

// piece is an opening with the proof of its leaf, once a checkpoint covers it.
func (c *cast) piece(ctx context.Context, o *office.Office, item evidence.Item) (audit.Pieces, error) {
	if err := c.w.Published(ctx); err != nil {
		return audit.Pieces{}, err
	}
	file, err := o.Proof(ctx, item)
	return audit.Pieces{Item: item, Proof: file}, err
}

// chain is the directory, from which an evidence file takes what shows that a
// signer was entitled.
func (c *cast) chain(ctx context.Context, o *office.Office) audit.Chain {
	return audit.Chain{
		Leaf: func(idx int64) ([]byte, error) {
			for int64(len(c.leaves)) <= idx {
				page, err := o.Client.Entries(ctx, int64(len(c.leaves)), 0)
				if err != nil {
					return nil, err
				}
				if len(page) == 0 {
					return nil, fmt.Errorf("the directory has no entry %d", idx)
				}
				c.leaves = append(c.leaves, page...)
			}
			return c.leaves[idx], nil
		},
		Proof: func(idx int64) ([]byte, error) { return o.Client.Proof(ctx, wire.Dir, idx) },
	}
}

// verify needs nothing but what is kept and the hash of the genesis, which hangs
// on the wall.
func (p *proof) verify(genesis string) error {
	report, err := audit.VerifyEvidence(p.file, audit.Trust{Genesis: genesis})
	if err != nil {
		return err
	}
	if len(report.Items) != 1 || report.Items[0].Idx != p.idx || !report.Pinned {
		return errors.New("the file is evidence of something else")
	}
	if p.receipt == nil {
		return nil
	}
	if sum := sha256.Sum256(p.receipt); hex.EncodeToString(sum[:]) != p.digest {
		return errors.New("the receipt is not the document on record")
	}
	_, err = audit.VerifyReceipt(p.receipt, audit.Trust{Genesis: genesis})
	return err
}

// consentReceipt makes the receipt of a consent out of the versions an actor
// sees.
func (c *cast) consentReceipt(ctx context.Context, o *office.Office, items []office.FeedItem, consent string) ([]byte, error) {
	var versions []audit.Pieces
	for _, f := range items {
		if f.M == nil || f.M.Obj != consent || !strings.HasPrefix(f.M.Ev, "consent.") {
			continue
		}
		piece, err := c.piece(ctx, o, f.Item)
		if err != nil {
			return nil, err
		}
		versions = append(versions, piece)
	}
	if len(versions) == 0 {
		return nil, errors.New("nothing of the consent is to be seen")
	}
	return audit.BuildReceipt(versions, c.chain(ctx, o))
}
