package exchange

import (
	"context"
	"sync"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// maxJump is how far the clock may stray from its own steady reading, in ms,
// before writes are refused.
const maxJump = 5 * 60 * 1000

// skew is by how much the checkpoint of another server may lie ahead of the
// store's clock, in ms: it carried that clock on by its own for a while.
const skew = 1000

// tick notices a clock that jumped: it compares how far the clock moved with
// how far the steady reading did. The first reading is the machine's own, so a
// store whose clock is far from it is noticed too.
type tick struct {
	mu       sync.Mutex
	now      int64
	mono     int64
	accepted int64 // the last clock.accepted that counted here, or -1
}

func (t *tick) start(c Clock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.mono, t.accepted = c.Now(), c.Monotonic(), -1
}

// jump returns how far a time is from where it should be, in ms.
func (t *tick) jump(now, mono int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now - (t.now + mono - t.mono)
}

// rebase goes on from a time that an operator accepted in leaf idx. It reports
// false where that leaf has counted already: it excuses one jump.
func (t *tick) rebase(now, mono, idx int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if idx <= t.accepted {
		return false
	}
	t.now, t.mono, t.accepted = now, mono, idx
	return true
}

// passed takes note of a leaf that was there when the exchange was opened.
func (t *tick) passed(idx int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accepted = max(t.accepted, idx)
}

// readClock reads the time under the lock.
func (s *section) readClock() error {
	if err := s.mayWrite(); err != nil {
		return err
	}
	now, err := s.time()
	if err != nil {
		return err
	}
	if !s.x.accepting.Load() {
		if err := s.checkClock(now); err != nil {
			_, refused := AsRefusal(err)
			s.x.doubted.Store(refused)
			return err
		}
	}
	s.x.doubted.Store(false)
	if c, ok := s.x.Clock.(*shared); ok {
		c.follow(now)
	}
	s.now = now
	s.at = max(now, s.log[ledger.Ev].Head().At, s.log[ledger.Dir].Head().At)
	return nil
}

// time is the store's own, where it has one and none was given to the exchange.
func (s *section) time() (int64, error) {
	c, ok := s.x.Clock.(*shared)
	if !ok {
		return s.x.Clock.Now(), nil
	}
	if now, theirs, err := s.tx.Now(s.ctx); err != nil || theirs {
		return now, err
	}
	return c.systemClock.Now(), nil
}

// checkClock refuses a clock that jumped, or that lies before what was
// published, unless an operator accepted it since.
func (s *section) checkClock(now int64) error {
	mono := s.x.Clock.Monotonic()
	if jump := s.x.tick.jump(now, mono); jump > maxJump || jump < -maxJump {
		a, err := s.acceptance()
		if err != nil {
			return err
		}
		if a == nil || !s.x.tick.rebase(now, mono, a.idx) {
			return s.x.clockRefusal("jumped", jump)
		}
	}
	for _, l := range ledger.Logs {
		last, err := s.tx.LastCheckpoint(s.ctx, l)
		if err != nil {
			return err
		}
		early := last.At - now
		if _, ok := s.x.Clock.(*shared); ok {
			early -= skew
		}
		if !last.Exists() || early <= 0 {
			continue
		}
		a, err := s.acceptance()
		if err != nil {
			return err
		}
		if a == nil || !a.excuses(last.At) {
			return s.x.clockRefusal("lies before the last checkpoint", -early)
		}
	}
	return nil
}

func (x *Exchange) clockRefusal(what string, by int64) *Refusal {
	x.Log.Error("the clock is in doubt: nothing is written; see odzivd accept-clock", "what", what, "ms", by)
	return refuse(Unavailable, "clock", "the exchange's clock is in doubt, so it accepts nothing").
		hint("the operator sets the clock right, or accepts it; send the same request again after that")
}

// clockObject is what every clock.accepted is about.
const clockObject = "clock"

// acceptance is the last clock that an operator accepted.
type acceptance struct {
	idx  int64
	at   int64 // META.at, which never goes back
	jump int64 // from the last time on record to the accepted one
}

// slack is how long before the leaf that accepts an earlier clock the wrong time
// may have been published, in ms: checkpoints are at most five minutes apart.
const slack = 2 * ledger.RefreshEvery

// excuses reports whether a checkpoint was published by the clock that was ahead.
func (a *acceptance) excuses(published int64) bool {
	return a.jump < 0 && published > a.at-slack
}

func (s *section) acceptance() (*acceptance, error) { return acceptanceIn(s.ctx, s.tx) }

func acceptanceIn(ctx context.Context, v View) (*acceptance, error) {
	idx, err := v.Last(ctx, clockObject)
	if err != nil || idx < 0 {
		return nil, err
	}
	o, ok, err := v.Opening(ctx, idx)
	if err != nil || !ok {
		return nil, err
	}
	meta, priv, err := o.Decode()
	if err != nil {
		return nil, err
	}
	var data evidence.ClockData
	if err := statement.Unmarshal(priv.Data, &data); err != nil {
		return nil, err
	}
	return &acceptance{idx: idx, at: meta.At, jump: data.Jump}, nil
}

// AcceptClock records that an operator found the clock right, whatever it did:
// the time by another clock must be no further from it than within. It returns
// how far the clock is from the last time on record. All are in ms. Every server
// goes on when it next writes. It is for a process of its own: meanwhile the
// exchange checks no clock.
func (x *Exchange) AcceptClock(ctx context.Context, at, within int64) (jump int64, err error) {
	x.accepting.Store(true)
	defer x.accepting.Store(false)
	return submit(ctx, x, Caller{}, nil, func(s *section) (int64, error) {
		if off := s.now - at; off > within || off < -within {
			return 0, refuse(Unavailable, "clock", "the exchange's clock is %d s from the time given", off/1000)
		}
		known := max(s.log[ledger.Ev].Head().At, s.log[ledger.Dir].Head().At)
		for _, l := range ledger.Logs {
			last, err := s.tx.LastCheckpoint(s.ctx, l)
			if err != nil {
				return 0, err
			}
			known = max(known, last.At)
		}
		d, err := s.newDraft(evidence.ClockAccepted, evidence.System, clockObject).data(evidence.ClockData{Jump: s.now - known})
		if err != nil {
			return 0, err
		}
		if audit := s.dir.DesksByTypeFn(operatorType, operatorDesk, s.now); len(audit) > 0 {
			d.to = audit[:1]
		}
		_, err = s.record(d)
		return s.now - known, err
	})
}

// operatorType and operatorDesk are where an operator's acts are told: the audit
// desk of the center that runs the exchange.
const (
	operatorType = "center"
	operatorDesk = "audit"
)

// ClockInDoubt reports whether the clock was refused when it was read last:
// nothing may be signed with it, or a checkpoint from the future would stop every
// server for as long.
func (x *Exchange) ClockInDoubt() bool { return x.doubted.Load() }

// Synchronise reads the clock and the heads once, as a write does, and writes
// nothing: a server does so before it signs, and now and then, so that what it
// publishes bears the store's time. A *[Refusal] is about the clock.
func (x *Exchange) Synchronise(ctx context.Context) error {
	return x.Store.Write(ctx, func(tx Tx) error {
		_, err := x.begin(ctx, tx)
		return err
	})
}
