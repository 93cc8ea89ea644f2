package office

import (
	"context"
	"fmt"
	"time"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/ledger"
)

// confirmEvery is how often a checkpoint is asked for.
const confirmEvery = 200 * time.Millisecond

// Confirm waits until a checkpoint covers an item, and verifies that its leaf
// stands at its index under it. For witnesses it waits a little longer, unless
// they have been silent for a while, and returns a provisional proof if they
// still are: a later [Office.Sync] replaces it. ErrNotConfirmed, after
// ConfirmWithin, means that no checkpoint covers the item.
func (o *Office) Confirm(ctx context.Context, item evidence.Item) (Confirmation, error) {
	within, stop := context.WithTimeout(ctx, o.ConfirmWithin)
	defer stop()
	quorum := o.quorumDue()
	for {
		c, err := o.Prove(within, item)
		if ended := notConfirmed(ctx, within, err); ended != nil {
			return c, ended
		}
		if err != nil && !IsCode(err, "no_checkpoint") {
			return c, err
		}
		if err == nil && (c.Standing != ledger.Provisional || !time.Now().Before(quorum)) {
			return c, nil
		}
		if slept := sleep(within, confirmEvery); slept != nil && err != nil {
			return c, notConfirmed(ctx, within, slept)
		}
	}
}

// quorumDue is until when it is worth to wait for witnesses.
func (o *Office) quorumDue() time.Time {
	if o.Watch().Late {
		return time.Now()
	}
	return time.Now().Add(o.QuorumWithin)
}

// notConfirmed is the answer when the time within which something is confirmed
// has passed, nil when it has not, and ctx's own error when the caller gave up.
func notConfirmed(ctx, within context.Context, err error) error {
	switch {
	case err == nil || within.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("office: %w", ctx.Err())
	}
	return ErrNotConfirmed
}

// sleep waits, or returns early with the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
