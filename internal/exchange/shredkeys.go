package exchange

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// periodTerm is how long one period key wraps new shred keys, in ms. Its
// successor is made up to periodAhead earlier, where somebody calls
// [Exchange.KeepPeriods]: so a Vault that is away on that day stops nobody.
const (
	periodTerm  = 30 * 24 * hour
	periodAhead = 24 * hour
)

const hour = 60 * 60 * 1000

// keysWait bounds one question to whoever wraps the period keys.
const keysWait = 15 * time.Second

// shredKeys holds the period keys in memory. Only they are unwrapped by the
// wrapper (a file, a Vault), and never inside a transaction. Who needs a key that
// is in memory waits for nobody.
type shredKeys struct {
	wrapper shred.PeriodWrapper
	log     *slog.Logger

	mu      sync.Mutex
	periods map[string]shred.Period
	asking  map[string]*question // by id of the period; "" makes a new one
	said    string               // the failure that was logged last
}

// question is one that several requests may wait for.
type question struct {
	done   chan struct{}
	period shred.Period
	err    error
}

func newShredKeys(w shred.PeriodWrapper, log *slog.Logger) *shredKeys {
	return &shredKeys{wrapper: w, log: log, periods: map[string]shred.Period{}, asking: map[string]*question{}}
}

// period returns a period key by id, unwrapping it once.
func (k *shredKeys) period(ctx context.Context, id string, wrapped []byte) (shred.Period, error) {
	return k.ask(ctx, id, func(ctx context.Context) (shred.Period, error) { return k.wrapper.UnwrapPeriod(ctx, id, wrapped) })
}

// ask returns the period key in memory, or shares one question for it. What is
// asked goes on when a request that waits for it ends.
func (k *shredKeys) ask(ctx context.Context, id string, f func(ctx context.Context) (shred.Period, error)) (shred.Period, error) {
	k.mu.Lock()
	if p, ok := k.periods[id]; ok {
		k.mu.Unlock()
		return p, nil
	}
	q := k.asking[id]
	if q == nil {
		q = &question{done: make(chan struct{})}
		k.asking[id] = q
		go k.answer(context.WithoutCancel(ctx), id, q, f)
	}
	k.mu.Unlock()
	select {
	case <-q.done:
		return q.period, q.err
	case <-ctx.Done():
		return shred.Period{}, ctx.Err()
	}
}

func (k *shredKeys) answer(ctx context.Context, id string, q *question, f func(ctx context.Context) (shred.Period, error)) {
	ctx, cancel := context.WithTimeout(ctx, keysWait)
	defer cancel()
	defer close(q.done)
	p, err := func() (p shred.Period, err error) {
		defer recovered(&err)
		return f(ctx)
	}()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.asking, id)
	if err == nil {
		k.periods[p.ID], q.period, k.said = p, p, ""
		return
	}
	q.err = k.away(err)
}

// away turns a failure of the wrapper into an answer, and logs it once. The
// caller holds the lock.
func (k *shredKeys) away(err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	if said := statement.Redact(err.Error()); said != k.said {
		k.log.Error("a key of the shred layer cannot be had: uploads and downloads that need it wait", "error", said)
		k.said = said
	}
	return refuse(Unavailable, "keys_unavailable", "the exchange cannot reach its keys right now").
		hint("nothing was recorded, and nothing is lost: send the same request again in a few minutes")
}

// currentPeriod returns the period key for new messages, making one when there
// is none or the last has served its term.
func (x *Exchange) currentPeriod(ctx context.Context) (shred.Period, error) {
	return x.periodUntil(ctx, x.Clock.Now()-periodTerm)
}

// periodUntil is the newest period key if it was made after a time, else a new
// one, which is stored before anybody uses it.
func (x *Exchange) periodUntil(ctx context.Context, oldest int64) (shred.Period, error) {
	last, ok, err := x.lastPeriod(ctx)
	if err != nil {
		return shred.Period{}, err
	}
	if ok && last.At > oldest {
		return x.keys.period(ctx, last.ID, last.Wrapped)
	}
	return x.keys.ask(ctx, "", func(ctx context.Context) (shred.Period, error) {
		p := shred.Period{ID: strings.TrimPrefix(statement.NewID(statement.Other), "x_"), Key: shred.NewKey()}
		wrapped, err := x.keys.wrapper.WrapPeriod(ctx, p)
		if err != nil {
			return shred.Period{}, err
		}
		now := x.Clock.Now()
		err = x.Store.Scratch(ctx, func(s Scratch) error { return s.PutPeriod(ctx, p.ID, wrapped, now) })
		if err != nil {
			return shred.Period{}, x.unknown(err)
		}
		return p, nil
	})
}

func (x *Exchange) lastPeriod(ctx context.Context) (p PeriodRow, ok bool, err error) {
	err = x.Store.Read(ctx, func(v View) (err error) {
		p.ID, p.Wrapped, p.At, ok, err = v.LastPeriod(ctx)
		return err
	})
	return p, ok, err
}

// KeepPeriods brings every period key into memory, the newest first, and makes
// the next before it is needed: then a Vault that is sealed or away for a day
// stops neither uploads nor downloads. It is called now and then; what fails is
// tried again.
func (x *Exchange) KeepPeriods(ctx context.Context) error {
	if _, err := x.periodUntil(ctx, x.Clock.Now()-periodTerm+periodAhead); err != nil {
		return err
	}
	rows, err := periodsOf(ctx, x.Store)
	if err != nil {
		return err
	}
	var failed []error
	for _, row := range slices.Backward(rows) {
		if _, err := x.keys.period(ctx, row.ID, row.Wrapped); err != nil {
			failed = append(failed, err)
		}
		if len(failed) > maxFailed || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// maxFailed is how many keys that open under nothing keep no other from being
// asked for. If it is the wrapper that is away, all would fail.
const maxFailed = 3

func periodsOf(ctx context.Context, store Store) (rows []PeriodRow, err error) {
	err = store.Read(ctx, func(v View) (err error) {
		rows, err = v.Periods(ctx)
		return err
	})
	return rows, err
}

// shredKey returns the shred key of a message and how it is stored, making it at
// the first upload.
func (x *Exchange) shredKey(ctx context.Context, msg string) (shred.Key, []byte, error) {
	key, stored, err := x.shredKeyOf(ctx, msg)
	if !errors.Is(err, errNoShredKey) {
		return key, stored, err
	}
	period, err := x.currentPeriod(ctx)
	if err != nil {
		return key, nil, err
	}
	key = shred.NewKey()
	wrapped, err := shred.SealKey(period, msg, key)
	if err != nil {
		return key, nil, err
	}
	err = x.Store.Scratch(ctx, func(s Scratch) error {
		if _, _, ok, err := s.Shred(ctx, msg); ok || err != nil {
			return err // another request was first: its key counts
		}
		return s.PutShred(ctx, msg, period.ID, wrapped)
	})
	if err != nil {
		return key, nil, err
	}
	return x.shredKeyOf(ctx, msg)
}

// stillStored wants the key that a request found before its transaction. A sweep
// may have taken it since, with an upload that was thought abandoned: what it
// wraps now, nobody could ever open.
func stillStored(ctx context.Context, s Scratch, msg string, stored []byte) error {
	_, now, ok, err := s.Shred(ctx, msg)
	if err != nil || ok && bytes.Equal(now, stored) {
		return err
	}
	return refuse(Conflicting, "offset", "the upload was abandoned too long and begins anew: the part so far has 0 bytes").
		hint("go on from offset 0")
}

// deliverable lets a desk sign for a message only while its key can be had: what
// is signed for must be handed over. It decides nothing else, and says nothing
// about a message that is not there.
func (x *Exchange) deliverable(ctx context.Context, a *act) error {
	r, ok := a.body.(*messaging.Retrieved)
	if !ok {
		return nil
	}
	_, _, err := x.shredKeyOf(ctx, r.Msg)
	if refused, ok := AsRefusal(err); ok && refused.Class == Unavailable {
		return refused
	}
	return nil
}

var errNoShredKey = errors.New("the message has no shred key")

// shredKeyOf returns the shred key of a message that has one, and how it is stored.
func (x *Exchange) shredKeyOf(ctx context.Context, msg string) (shred.Key, []byte, error) {
	var none shred.Key
	var id string
	var wrapped, wrappedPeriod []byte
	err := x.Store.Read(ctx, func(v View) error {
		var ok bool
		var err error
		if id, wrapped, ok, err = v.Shred(ctx, msg); err != nil || !ok {
			return errors.Join(err, errNoShredKey)
		}
		wrappedPeriod, ok, err = v.Period(ctx, id)
		if err == nil && !ok {
			return errors.New("a period key is missing")
		}
		return err
	})
	if err != nil {
		return none, nil, err
	}
	period, err := x.keys.period(ctx, id, wrappedPeriod)
	if err != nil {
		return none, nil, err
	}
	key, err := shred.OpenKey(period, msg, wrapped)
	return key, wrapped, err
}
