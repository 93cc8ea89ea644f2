package proving

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/messaging"
)

// A failing store fails where it is told, once.
type failing struct {
	exchange.Store
	how atomic.Int32
}

// How a commit fails.
const (
	never      = iota
	notWritten // and nothing is kept
	butWritten // and everything is kept: only the answer is lost
)

var errFault = errors.New("a fault of the test")

// Write implements exchange.Store.
func (s *failing) Write(ctx context.Context, f func(exchange.Tx) error) error {
	switch s.how.Swap(never) {
	case notWritten:
		return s.Store.Write(ctx, func(tx exchange.Tx) error {
			if err := f(tx); err != nil {
				return err
			}
			return errFault
		})
	case butWritten:
		if err := s.Store.Write(ctx, f); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", errFault, sqlstore.ErrOutcome)
	}
	return s.Store.Write(ctx, f)
}

// TestCommitFails lets commits fail, written and not. The sender is told to
// repeat, does, and the message stands once, where the first answer would have
// said.
func TestCommitFails(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		f := openField(t, e.place(t))
		store := &failing{Store: f.Exchange.Store}
		config := f.Exchange.Config
		config.Store = store
		x := f.serving(t, config)
		for range rounds(60) {
			for _, how := range []int32{notWritten, butWritten} {
				m := f.message(t)
				before := f.sizes()[1]
				store.how.Store(how)
				_, err := m.submit(x)
				outcomeUnknown(t, err)
				kept := how == butWritten
				if idx, ok := f.stands(t, f.Exchange.Store, m); ok != kept || ok && idx != before {
					t.Fatalf("after a commit that failed (written: %v) it stands: %v", kept, ok)
				}
				m.settle(t, x, before)
			}
		}
		sound(t, f.Exchange.Store, f.World)
	})
}

// message is a sealed message whose body is uploaded, ready to be submitted as
// often as needed.
type message struct {
	f   *field
	by  *sender
	id  string
	raw []byte
}

func (f *field) message(t *testing.T) *message {
	t.Helper()
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
	_, raw, err := swc.seal(t.Context(), core, ppo.desk, map[string]string{})
	f.must(err)
	return &message{f, swc, core.Msg, raw}
}

func (m *message) submit(x *exchange.Exchange) (int64, error) {
	item, err := x.SubmitMessage(context.Background(), m.by.caller(), m.id, m.raw)
	return item.Idx, err
}

// settle repeats the message: it is taken, or was, at the index it should have,
// and twice is once.
func (m *message) settle(t *testing.T, x *exchange.Exchange, want int64) {
	t.Helper()
	for range 2 {
		if idx, err := m.submit(x); err != nil || idx != want {
			t.Fatalf("repeated: at %d, want %d (%v)", idx, want, err)
		}
	}
	if size := m.f.sizes()[1]; size != want+1 {
		t.Fatalf("%d leaves, want %d", size, want+1)
	}
}

// stands reports where a message stands, if it does.
func (f *field) stands(t *testing.T, store exchange.Store, m *message) (idx int64, ok bool) {
	t.Helper()
	f.must(store.Read(t.Context(), func(v exchange.View) error {
		row, found, err := v.Statement(t.Context(), m.id)
		idx, ok = row.Idx, found
		return err
	}))
	return idx, ok
}

// outcomeUnknown wants to be told that the same request may be sent again.
func outcomeUnknown(t *testing.T, err error) {
	t.Helper()
	r, ok := exchange.AsRefusal(err)
	if !ok || r.Code != "store" || r.Class != exchange.Unavailable || r.Hint == "" {
		t.Fatalf("a failed commit was answered with %v", err)
	}
}

// behind is a world whose way to PostgreSQL leads through a cutter, and a look
// past it.
func behind(t *testing.T) (*field, *cutter, *sqlstore.Store) {
	t.Helper()
	c := pgtest.Shared(t)
	way := newCutter(t, c.Address())
	dsn := c.Database(t)
	f := openField(t, func(o *demo.Options) { o.Dir, o.DB = memoryDir(t), way.through(dsn) })
	direct, err := sqlstore.Open(t.Context(), dsn)
	f.must(err)
	t.Cleanup(func() { direct.Close() })
	return f, way, direct
}

// TestConnectionLost cuts the connection to PostgreSQL at every message of a
// section, before it arrives and before its answer does, the lock and the commit
// among them. What the cut leaves is all or nothing; repeated, the message stands
// once.
func TestConnectionLost(t *testing.T) {
	f, way, direct := behind(t)
	cuts, kept := 0, 0
	for range rounds(1) {
		for _, answer := range []bool{false, true} {
			for at := 0; ; at++ {
				f.must(f.Published(t.Context())) // the signer's sections are not to be cut
				m := f.message(t)
				before := f.sizes()[1]
				way.arm(cut{at: at, answer: answer})
				idx, err := m.submit(f.Exchange)
				done := way.disarm()
				if err == nil && idx != before {
					t.Fatalf("cut at %d: it stands at %d, want %d", at, idx, before)
				}
				if err != nil {
					outcomeUnknown(t, err)
					if !done {
						t.Fatalf("failed without a cut: %v", err)
					}
				}
				if _, ok := f.stands(t, direct, m); ok && err != nil {
					kept++
				}
				m.settle(t, f.Exchange, before)
				if !done {
					t.Logf("a section has %d messages", at)
					break
				}
				cuts++
			}
		}
	}
	t.Logf("%d cuts; %d left what was already written", cuts, kept)
	if cuts < 20 || kept == 0 {
		t.Error("too few cuts for this test to mean anything, or none after the commit")
	}
	sound(t, direct, f.World)
}

// TestCommitCut cuts where it matters, many times: at COMMIT, before it arrives
// (nothing is kept) and before its answer does (everything is).
func TestCommitCut(t *testing.T) {
	f, way, direct := behind(t)
	for i := range rounds(60) {
		answer := i%2 == 1
		f.must(f.Published(t.Context()))
		m := f.message(t)
		before := f.sizes()[1]
		way.arm(cut{text: "COMMIT", answer: answer})
		_, err := m.submit(f.Exchange)
		if !way.disarm() {
			t.Fatal("no COMMIT was cut")
		}
		outcomeUnknown(t, err)
		if idx, ok := f.stands(t, direct, m); ok != answer || ok && idx != before {
			t.Fatalf("cut at COMMIT (it arrived: %v), and the message stands: %v", answer, ok)
		}
		m.settle(t, f.Exchange, before)
	}
	way.cutAll(false) // all at once, while nothing is done
	m := f.message(t)
	before := f.sizes()[1]
	if _, err := m.submit(f.Exchange); err != nil {
		t.Errorf("connections that were lost while idle are told to the sender: %v", err)
	}
	m.settle(t, f.Exchange, before)
	sound(t, direct, f.World)
}
