package office

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Proposed is what became of a directory statement: on record at Idx, or
// waiting under Digest for the others who must sign.
type Proposed struct {
	Complete bool
	Idx      int64
	Digest   string
}

// Draw prepares a directory statement against the directory as verified and
// signs it, without submitting it.
func (o *Office) Draw(ctx context.Context, body directory.Body, also ...statement.Signer) (*statement.DSSE, error) {
	payload, err := o.Directory().Prepare(body, o.Now())
	if err != nil {
		return nil, err
	}
	return statement.Sign(ctx, statement.TypeDirectory, payload, append([]statement.Signer{o.Keys.Signer()}, also...)...)
}

// Propose draws a directory statement and submits it; what needs more
// signatures waits for them.
func (o *Office) Propose(ctx context.Context, body directory.Body, also ...statement.Signer) (Proposed, error) {
	d, err := o.Draw(ctx, body, also...)
	if err != nil {
		return Proposed{}, err
	}
	return o.SubmitDirectory(ctx, d)
}

// SubmitDirectory submits a signed directory statement, of whose signatures one
// is this officer's, or leaves it for the others who must sign.
func (o *Office) SubmitDirectory(ctx context.Context, d *statement.DSSE) (Proposed, error) {
	complete, err := o.Directory().Complete(d)
	if err != nil {
		return Proposed{}, err
	}
	sum := d.Digest()
	p := Proposed{Digest: hex.EncodeToString(sum[:])}
	if !complete {
		answer, err := o.putPending(ctx, p.Digest, d)
		if err == nil && answer.Entry != nil {
			p.Complete, p.Idx = true, answer.Entry.Idx
		}
		return p, err
	}
	raw, err := d.Encode()
	if err != nil {
		return Proposed{}, err
	}
	entry, err := o.Client.PutDirectory(ctx, p.Digest, raw)
	p.Complete, p.Idx = err == nil, entry.Idx
	return p, err
}

// Await follows the directory until a signed checkpoint covers entry idx, so
// that what is prepared next builds on it. ErrProvisional after a minute.
func (o *Office) Await(ctx context.Context, idx int64) error {
	within, stop := context.WithTimeout(ctx, confirmWithin)
	defer stop()
	for {
		err := o.Sync(within)
		if ended := provisional(ctx, within, err); ended != nil {
			return ended
		}
		if err != nil {
			return err
		}
		if o.Directory().N() > idx {
			return nil
		}
		if sleep(within, confirmEvery) != nil {
			return provisional(ctx, within, within.Err())
		}
	}
}

// provisional is the answer when the time within which something is confirmed
// has passed, nil when it has not, and ctx's own error when the caller gave up.
func provisional(ctx, within context.Context, err error) error {
	switch {
	case err == nil || within.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("office: %w", ctx.Err())
	}
	return ErrProvisional
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
