package exchange

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Config is what an Exchange is made of. All members but Signs are required.
type Config struct {
	Store   Store
	Clock   Clock
	Host    string // of the origins "<host>/dir" and "<host>/ev"
	Packs   *rules.Set
	Periods shred.PeriodWrapper // wraps the period keys of the shred layer

	// Signs reports whether this server signs checkpoints with a key. A policy
	// that names another for a log is refused: nobody could sign under it. nil
	// lets any pass.
	Signs func(vkey string) bool

	Log *slog.Logger
}

// Exchange is one server's use cases. It is safe for concurrent use between
// [Open] and the end of [Exchange.Run].
type Exchange struct {
	Config
	jobs chan *job
	dir  atomic.Pointer[directory.State]
	tick tick
	keys *shredKeys
	cals calendars

	floor     floor
	halted    halt
	accepting atomic.Bool // an operator accepts the clock: it is not checked
	doubted   atomic.Bool // the clock was refused when it was read last

	followed follower
	publics  [len(ledger.Logs)]publicView
}

// maxGroup bounds the writes of one transaction, maxQueue those that wait.
const (
	maxGroup = 64
	maxQueue = 1024
)

// Open starts from what the store holds: it replays the directory, which is
// small, and nothing else.
func Open(ctx context.Context, cfg Config) (*Exchange, error) {
	x := &Exchange{Config: cfg, jobs: make(chan *job, maxQueue), keys: newShredKeys(cfg.Periods, cfg.Log)}
	x.halted.ended = make(chan struct{})
	x.Clock = share(cfg.Clock)
	x.tick.start(x.Clock)
	dir := directory.New()
	err := cfg.Store.Read(ctx, func(v View) (err error) {
		if dir, err = follow(ctx, v, dir); err != nil {
			return err
		}
		accepted, err := acceptanceIn(ctx, v)
		if accepted != nil {
			x.tick.passed(accepted.idx)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("exchange: open: %w", err)
	}
	if dir.N() == 0 {
		return nil, errors.New("exchange: open: the directory is empty: run odzivd init first")
	}
	x.dir.Store(dir)
	return x, nil
}

// follow applies the directory entries that dir does not know yet.
func follow(ctx context.Context, r ledger.Reader, dir *directory.State) (*directory.State, error) {
	head, err := r.Head(ctx, ledger.Dir)
	if err != nil {
		return nil, err
	}
	for dir.N() < head.Size {
		leaves, err := r.Entries(ctx, ledger.Dir, dir.N(), min(head.Size, dir.N()+ledger.MaxPage))
		if err != nil {
			return nil, err
		}
		if dir, err = dir.Replay(leaves); err != nil {
			return nil, err
		}
	}
	return dir, nil
}

// Directory returns the directory as this server last saw it. The value never
// changes.
func (x *Exchange) Directory() *directory.State { return x.dir.Load() }

// Caller is who signed a request: the key, and the nonce that makes a write
// unrepeatable.
type Caller struct {
	Key   string
	Nonce string
}

// Key finds the public key of a request's signer among everyone the directory
// knows. Revocation and the end of a term count at once.
func (x *Exchange) Key(keyID string) (ed25519.PublicKey, bool) {
	actor, ok := x.Directory().Actor(keyID)
	if !ok || !actor.ActiveAt(x.Clock.Now()) {
		return nil, false
	}
	return actor.Key, true
}

// job is one write that waits for the serialized section.
type job struct {
	caller Caller
	run    func(s *section) error
	refuse *refusalRecord // what to record when a rule says no
	wants  *Wanted        // what a message will ask; nil: the job works on the store itself
	err    error
	done   chan struct{}
}

// submit runs f in the serialized section and returns its result once the
// transaction is durable. After an error that is no *Refusal the outcome is
// unknown: the caller repeats, which is harmless.
func submit[T any](ctx context.Context, x *Exchange, c Caller, rec *refusalRecord, f func(s *section) (T, error)) (T, error) {
	return submitStaged(ctx, x, c, rec, nil, f)
}

// submitStaged is submit for a job that knows what it will ask. It may run f
// twice: only the last time counts.
func submitStaged[T any](ctx context.Context, x *Exchange, c Caller, rec *refusalRecord, wants *Wanted, f func(s *section) (T, error)) (T, error) {
	var result T
	j := &job{caller: c, refuse: rec, wants: wants, done: make(chan struct{}), run: func(s *section) (err error) {
		defer recovered(&err)
		result, err = f(s)
		return err
	}}
	select {
	case x.jobs <- j:
	case <-ctx.Done():
		return result, ctx.Err()
	}
	select {
	case <-j.done:
		return result, j.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// recovered turns a panic of one job into its failure: a fault that some input
// finds must not stop the exchange for everybody.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("exchange: panic: %v", p)
	}
}

// Run is the sequencer of this server: it groups waiting writes into one
// transaction after another until ctx ends, then answers what still waits.
func (x *Exchange) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			x.drain()
			return nil
		case first := <-x.jobs:
			x.group(context.WithoutCancel(ctx), x.gather(first))
		}
	}
}

// gather takes what waits beside first, without waiting itself. Messages come
// last, so that they share a stage: all of these jobs wait at the same time, so
// each may be first.
func (x *Exchange) gather(first *job) []*job {
	jobs := x.waiting(first)
	slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Compare(a.staged(), b.staged()) })
	return jobs
}

// staged is 1 for a job that can work on a stage, else 0.
func (j *job) staged() int {
	if j.wants != nil {
		return 1
	}
	return 0
}

func (x *Exchange) waiting(first *job) []*job {
	jobs := append(make([]*job, 0, maxGroup), first)
	for len(jobs) < maxGroup {
		select {
		case j := <-x.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// group runs jobs in one transaction and answers all after the commit.
func (x *Exchange) group(ctx context.Context, jobs []*job) {
	err := x.transact(ctx, jobs, true)
	if errors.Is(err, errUnsettled) {
		// A row that the store refuses spoils what was held back with it. Nothing
		// was committed: each job works on the store itself, and fails alone.
		x.Log.Error("a group of messages could not be stored; trying one by one", "error", statement.Redact(err.Error()))
		err = x.transact(ctx, jobs, false)
	}
	for _, j := range jobs {
		if err != nil {
			j.err = x.unknown(err)
		}
		close(j.done)
	}
}

// errUnsettled says that nothing was committed because what the stage held back
// could not be stored.
var errUnsettled = errors.New("exchange: what was held back could not be stored")

// transact runs jobs in one transaction, messages on a stage or, like all others,
// on the store itself.
func (x *Exchange) transact(ctx context.Context, jobs []*job, staged bool) error {
	var after *directory.State
	var done *section
	err := x.Store.Write(ctx, func(tx Tx) error {
		s, err := x.begin(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.useNonces(jobs); err != nil {
			return err
		}
		s.staging = staged
		for i, j := range jobs {
			if j.err != nil {
				continue
			}
			s.rest = jobs[i:]
			// What fails here fails for this job alone: its savepoint is rolled
			// back. If it is the store that fails, so will the commit.
			if j.err = s.attempt(j); s.unsettled != nil {
				break
			}
			if fatal(j.err) {
				j.err = x.unknown(j.err)
			}
		}
		after, done = s.dir, s
		return s.flush()
	})
	if err == nil {
		x.adopt(after)
		x.floor.raise(done.log)
	}
	return err
}

// adopt publishes the directory as committed, never an older one.
func (x *Exchange) adopt(dir *directory.State) {
	for {
		known := x.dir.Load()
		if dir.N() <= known.N() || x.dir.CompareAndSwap(known, dir) {
			return
		}
	}
}

// unknown turns a failed transaction into an answer. A refusal of the whole
// section (the clock) stays what it is.
func (x *Exchange) unknown(err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	x.haltAt(err)
	x.Log.Error("write failed", "error", statement.Redact(err.Error()))
	return refuse(Unavailable, "store", "the exchange could not store this").
		hint("send the same request again; it cannot be recorded twice")
}

// fatal reports an error that spoils the transaction, not only one job.
func fatal(err error) bool {
	var r *Refusal
	return err != nil && !errors.As(err, &r)
}

func (x *Exchange) drain() {
	for {
		select {
		case j := <-x.jobs:
			j.err = refuse(Unavailable, "stopping", "the exchange is stopping").hint("send the same request again in a minute")
			close(j.done)
		default:
			return
		}
	}
}
