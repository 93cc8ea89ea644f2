package proving

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/ledger"
)

// stepping calls step before each thing that a write does, before its commit and
// after it. What step returns ends the write there.
type stepping struct {
	exchange.Store
	step func() error
}

// Write implements exchange.Store.
func (s *stepping) Write(ctx context.Context, f func(exchange.Tx) error) error {
	err := s.Store.Write(ctx, func(tx exchange.Tx) error {
		if err := f(&stepTx{tx, s.step}); err != nil {
			return err
		}
		return s.step()
	})
	if err == nil {
		err = s.step()
	}
	return err
}

// stepTx is the transaction of a stepping store: the steps of a submission.
type stepTx struct {
	exchange.Tx
	step func() error
}

func (t *stepTx) before(f func() error) error {
	if err := t.step(); err != nil {
		return err
	}
	return f()
}

func (t *stepTx) UseNonces(ctx context.Context, nonces []exchange.Nonce, at int64) (fresh []bool, err error) {
	err = t.before(func() (err error) { fresh, err = t.Tx.UseNonces(ctx, nonces, at); return err })
	return fresh, err
}

func (t *stepTx) Savepoint(ctx context.Context, f func() error) error {
	return t.before(func() error { return t.Tx.Savepoint(ctx, f) })
}

func (t *stepTx) Gather(ctx context.Context, w *exchange.Wanted) (known *exchange.Known, err error) {
	err = t.before(func() (err error) { known, err = t.Tx.Gather(ctx, w); return err })
	return known, err
}

func (t *stepTx) PutAll(ctx context.Context, r *exchange.Rows) error {
	return t.before(func() error { return t.Tx.PutAll(ctx, r) })
}

func (t *stepTx) PutMessage(ctx context.Context, m exchange.MessageRow, to []exchange.RecipientRow, consents []string) error {
	return t.before(func() error { return t.Tx.PutMessage(ctx, m, to, consents) })
}

func (t *stepTx) PutStatement(ctx context.Context, s exchange.StatementRow) error {
	return t.before(func() error { return t.Tx.PutStatement(ctx, s) })
}

func (t *stepTx) PutFeed(ctx context.Context, f exchange.FeedRow) error {
	return t.before(func() error { return t.Tx.PutFeed(ctx, f) })
}

func (t *stepTx) InsertEntries(ctx context.Context, log ledger.Log, first int64, leaves [][]byte) error {
	return t.before(func() error { return t.Tx.InsertEntries(ctx, log, first, leaves) })
}

func (t *stepTx) InsertNodes(ctx context.Context, log ledger.Log, first int64, hashes []tlog.Hash) error {
	return t.before(func() error { return t.Tx.InsertNodes(ctx, log, first, hashes) })
}

func (t *stepTx) MoveHead(ctx context.Context, log ledger.Log, was, is ledger.Head) error {
	return t.before(func() error { return t.Tx.MoveHead(ctx, log, was, is) })
}

// dying in the environment makes the test program a server that submits one
// message and dies at a step: folder, step, time, key, message, file.
const dying = "ODZIV_TEST_DYING"

// die is that program. It ends by itself only when the message has fewer steps.
func die(spec string) error {
	ctx := context.Background()
	args := strings.Split(spec, "|")
	at, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	now, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(args[5])
	if err != nil {
		return err
	}
	home, err := server.OpenHome(args[0])
	if err != nil {
		return err
	}
	packs, err := server.Packs()
	if err != nil {
		return err
	}
	x, err := home.OpenExchange(ctx, demo.NewClock(now), packs, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	config, n := x.Config, 0
	config.Store = &stepping{x.Store, func() error {
		if n++; n == at {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				return err
			}
			select {} // until it arrives
		}
		return nil
	}}
	if x, err = exchange.Open(ctx, config); err != nil {
		return err
	}
	go func() { _ = x.Run(ctx) }()
	_, err = x.SubmitMessage(ctx, exchange.Caller{Key: args[3], Nonce: request.NewNonce()}, args[4], raw)
	return err
}

// TestKilledBetweenSteps kills a server at every step of a submission, one after
// the other. All of the message is there, or nothing; repeated, it stands once.
func TestKilledBetweenSteps(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		f := openField(t, e.place(t))
		died, kept := 0, 0
		for at := 1; ; at++ {
			m := f.message(t)
			before := f.sizes()[1]
			file := filepath.Join(t.TempDir(), "message")
			f.must(os.WriteFile(file, m.raw, 0o600))
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), dying+"="+fmt.Sprintf("%s|%d|%d|%s|%s|%s", f.Home.Dir, at, f.Clock.Now(), m.by.by().Key, m.id, file))
			out, err := cmd.CombinedOutput()
			idx, ok := f.stands(t, f.Exchange.Store, m)
			if ok && idx != before {
				t.Fatalf("killed at step %d, it stands at %d, want %d", at, idx, before)
			}
			if err == nil {
				if !ok {
					t.Fatal("it was acknowledged and is not there")
				}
				break
			}
			if err.Error() != "signal: killed" {
				t.Fatalf("step %d: %v\n%s", at, err, out)
			}
			if died++; ok {
				kept++
			}
			sound(t, f.Exchange.Store, f.World)
			m.settle(t, f.Exchange, before)
		}
		t.Logf("killed at %d steps; at %d what it had done was kept", died, kept)
		if died < 8 || kept != 1 { // after the commit and before the answer
			t.Error("not every step was met")
		}
		sound(t, f.Exchange.Store, f.World)
	})
}

// TestFailedBetweenSteps lets every step of a submission fail instead.
func TestFailedBetweenSteps(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		f := openField(t, e.place(t))
		var at, n int
		config := f.Exchange.Config
		config.Store = &stepping{f.Exchange.Store, func() error {
			if n++; n == at {
				return errFault
			}
			return nil
		}}
		x := f.serving(t, config)
		for round := range rounds(3) {
			for at = 1; ; at++ {
				n = 0
				m := f.message(t)
				before := f.sizes()[1]
				idx, err := m.submit(x)
				met := n >= at
				if err == nil && idx != before {
					t.Fatalf("failed at step %d, it stands at %d, want %d", at, idx, before)
				}
				if err != nil {
					outcomeUnknown(t, err)
				}
				m.settle(t, f.Exchange, before)
				if !met {
					break
				}
			}
			if round == 0 && at < 8 {
				t.Errorf("only %d steps", at)
			}
		}
		sound(t, f.Exchange.Store, f.World)
	})
}
