package exchange

import (
	"context"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// PublicEvery is how often what anyone may see moves on, in ms. A finer grain
// would let a bystander tie a new leaf to a minute, and in a small town a minute
// to a person.
const PublicEvery = ledger.PublicEvery

// A checkpoint dated before a quarter hour may reach the store a moment after
// it: the signer waits for witnesses and for the lock. Until publicSettled after
// the quarter hour it is looked for again, at most every publicAgain. In ms.
const (
	publicSettled = 60 * 1000
	publicAgain   = 1000
)

// A publicView is what anyone may see of one log. It is read a few times per
// quarter hour, however often it is asked for, and never goes back while the
// server runs.
type publicView struct {
	mu      sync.Mutex
	quarter int64 // the quarter hour it was read for, ms; 0: never
	at      int64 // when it was read
	last    ledger.Published
}

// public is what anyone may see of a log now, or [ledger.Nothing].
func (x *Exchange) public(ctx context.Context, log ledger.Log) (ledger.Published, error) {
	v := &x.publics[log]
	v.mu.Lock()
	defer v.mu.Unlock()
	now := x.Clock.Now()
	if !v.due(now) {
		return v.last, nil
	}
	quarter := now - now%PublicEvery
	last := ledger.Nothing()
	err := x.Store.View(ctx, func(r ledger.Reader) (err error) {
		last, err = publicAt(ctx, r, log, quarter)
		return err
	})
	if last.At >= quarter-ledger.PublicClosing {
		last.Note = x.policy(log).Since(last.Note, quarter-ledger.PublicClosing)
	}
	if err == nil {
		v.quarter, v.at, v.last = quarter, now, last
	}
	return last, err
}

// policy is that in force for a log, as this server last saw the directory. One
// that makes no sense is met by nobody.
func (x *Exchange) policy(log ledger.Log) *ledger.Policy {
	q := x.Directory().Quorum()
	text := map[ledger.Log]string{ledger.Dir: q.Dir, ledger.Ev: q.Ev}[log]
	if p, err := ledger.ParsePolicy(text); err == nil {
		return p
	}
	return &ledger.Policy{}
}

// maxClosing bounds what is looked through for the checkpoint that closes a
// quarter of an hour: those published within it, and without quorum before.
const maxClosing = 64

// publicAt is the last checkpoint under quorum that was published at or before a
// full quarter of an hour. Within [ledger.PublicClosing] before it, it is the
// first: that one is published whatever happens, so that the time in it tells of
// no entry.
func publicAt(ctx context.Context, r ledger.Reader, log ledger.Log, quarter int64) (ledger.Published, error) {
	const closing = ledger.PublicClosing
	last, err := r.CheckpointAt(ctx, log, quarter)
	if err != nil || !last.Exists() || last.At < quarter-closing {
		return last, err
	}
	before, err := r.CheckpointAt(ctx, log, quarter-closing-1)
	if err != nil {
		return last, err
	}
	page, err := r.Checkpoints(ctx, log, before, maxClosing)
	for _, p := range page {
		if p.Quorum && p.At >= quarter-closing && p.At <= quarter {
			return p, err
		}
	}
	return last, err
}

// due reports whether the store may know more than v. A clock that was set back
// does not make it so.
func (v *publicView) due(now int64) bool {
	if v.quarter == 0 || now-v.quarter >= PublicEvery {
		return true
	}
	return v.at < v.quarter+publicSettled && now-v.at >= publicAgain
}

// PublicCheckpoint is [Exchange.Checkpoint] for those who did not sign their
// request.
func (x *Exchange) PublicCheckpoint(ctx context.Context, log ledger.Log) ([]byte, error) {
	p, err := x.public(ctx, log)
	if err != nil {
		return nil, err
	}
	if !p.Exists() {
		return nil, notFound()
	}
	return p.Note, nil
}

// PublicTile is [Exchange.Tile] for those who did not sign their request: within
// the public checkpoint of the evidence tree, where leaves say nothing. What
// lies outside is refused before the store is asked, whether it exists or not.
func (x *Exchange) PublicTile(ctx context.Context, log ledger.Log, t tlog.Tile) ([]byte, error) {
	if log != ledger.Ev {
		return nil, notFound()
	}
	p, err := x.public(ctx, log)
	if err != nil {
		return nil, err
	}
	if !p.Exists() || !ledger.TileWithin(t, p.Size) {
		return nil, notFound()
	}
	return x.tile(ctx, log, t)
}

// PublicProof is [Exchange.Proof] for those who did not sign their request: of
// the evidence tree, and under the public checkpoint. The first checkpoint that
// covered an entry would tell the second in which it was written.
func (x *Exchange) PublicProof(ctx context.Context, log ledger.Log, idx int64) ([]byte, error) {
	if log != ledger.Ev {
		return nil, notFound()
	}
	p, err := x.public(ctx, log)
	if err != nil {
		return nil, err
	}
	if !p.Exists() || idx < 0 || idx >= p.Size {
		return nil, notFound()
	}
	var file []byte
	err = x.Store.View(ctx, func(r ledger.Reader) (err error) {
		file, err = proofUnder(ctx, r, log, p, idx)
		return err
	})
	return file, err
}
