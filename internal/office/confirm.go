package office

import (
	"context"
	"fmt"
	"time"

	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// confirmWithin is how long a write may stay unconfirmed before it is said,
// confirmEvery how often it is asked for.
const (
	confirmWithin = 60 * time.Second
	confirmEvery  = 200 * time.Millisecond
)

// Confirm waits until a checkpoint covers an item, and verifies that its leaf
// stands at its index under it. It returns the .tlog-proof file. ErrProvisional
// after a minute means that the item is not confirmed.
func (o *Office) Confirm(ctx context.Context, item evidence.Item) ([]byte, error) {
	within, stop := context.WithTimeout(ctx, confirmWithin)
	defer stop()
	for {
		file, err := o.Proof(within, item)
		if ended := provisional(ctx, within, err); ended != nil {
			return nil, ended
		}
		if !IsCode(err, "no_checkpoint") {
			return file, err
		}
		if sleep(within, confirmEvery) != nil {
			return nil, provisional(ctx, within, within.Err())
		}
	}
}

// Proof fetches the proof of an item and verifies it now.
func (o *Office) Proof(ctx context.Context, item evidence.Item) ([]byte, error) {
	opening, err := item.Opening()
	if err != nil {
		return nil, err
	}
	leaf, err := opening.Leaf()
	if err != nil {
		return nil, err
	}
	file, err := o.Client.Proof(ctx, wire.Ev, item.Idx)
	if err != nil {
		return nil, err
	}
	proof, err := ledger.ParseProof(file)
	if err != nil {
		return nil, err
	}
	v, err := verifier(o.Directory(), ledger.Ev)
	if err != nil {
		return nil, err
	}
	if _, err := proof.Verify(leaf, v); err != nil || proof.Index != item.Idx {
		return nil, &SecurityError{What: fmt.Sprintf("entry %d is not what it showed", item.Idx), Shown: [][]byte{file, leaf}}
	}
	return file, nil
}
