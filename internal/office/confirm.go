package office

import (
	"context"
	"time"

	"github.com/odziv/odziv/internal/evidence"
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
