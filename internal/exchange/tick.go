package exchange

import (
	"sync"

	"github.com/odziv/odziv/ledger"
)

// maxJump is how far the clock may stray from its own steady reading, in ms,
// before writes are refused.
const maxJump = 5 * 60 * 1000

// tick notices a clock that jumped: it compares how far the clock moved with
// how far the steady reading did.
type tick struct {
	mu   sync.Mutex
	now  int64
	mono int64
}

func (t *tick) start(c Clock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.mono = c.Now(), c.Monotonic()
}

// jump returns how far the clock is from where it should be, in ms.
func (t *tick) jump(c Clock) (now, jump int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = c.Now()
	return now, now - (t.now + c.Monotonic() - t.mono)
}

// readClock reads the time under the lock.
func (s *section) readClock() error {
	if err := s.mayWrite(); err != nil {
		return err
	}
	now, jump := s.x.tick.jump(s.x.Clock)
	if jump > maxJump || jump < -maxJump {
		return clockRefusal()
	}
	for _, l := range ledger.Logs {
		last, err := s.tx.LastCheckpoint(s.ctx, l)
		if err != nil {
			return err
		}
		if last.Exists() && now < last.At {
			return clockRefusal()
		}
	}
	s.now = now
	s.at = max(now, s.log[ledger.Ev].Head().At, s.log[ledger.Dir].Head().At)
	return nil
}

func clockRefusal() *Refusal {
	return refuse(Unavailable, "clock", "the exchange's clock jumped, so it accepts nothing").
		hint("the operator checks the clock and restarts the server; send the same request again after that")
}
