package office

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
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
	if err == nil {
		o.laid(p.Idx, p.Digest)
	}
	return p, err
}

// Await follows the directory until a signed checkpoint covers entry idx, so
// that what is prepared next builds on it, and for a little longer until
// witnesses confirmed that. It says whether they did. ErrNotConfirmed, after
// ConfirmWithin, means that no checkpoint covers it.
func (o *Office) Await(ctx context.Context, idx int64) (ledger.Standing, error) {
	within, stop := context.WithTimeout(ctx, o.ConfirmWithin)
	defer stop()
	quorum := o.quorumDue()
	for {
		err := o.follow(within)
		if ended := notConfirmed(ctx, within, err); ended != nil {
			return NotConfirmed, ended
		}
		if err != nil {
			return NotConfirmed, err
		}
		standing := o.DirectoryStanding(idx)
		if err := o.standsThere(idx); err != nil {
			return NotConfirmed, err
		}
		if standing != NotConfirmed && (standing != ledger.Provisional || !time.Now().Before(quorum)) {
			return standing, nil
		}
		if slept := sleep(within, confirmEvery); slept != nil && standing == NotConfirmed {
			return standing, notConfirmed(ctx, within, slept)
		}
	}
}

// DirectoryStanding says how far others vouch for an entry of the directory, or
// [NotConfirmed] where no verified checkpoint covers it.
func (o *Office) DirectoryStanding(idx int64) ledger.Standing {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r := o.held; {
	case idx >= r.size():
		return NotConfirmed
	case idx >= r.vouched:
		return ledger.Provisional
	default:
		return countedStanding(r)
	}
}
