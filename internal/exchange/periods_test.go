package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
)

// wrapper is a key file that can be away, or hang.
type wrapper struct {
	*shred.KeyFile
	mu    sync.Mutex
	away  error
	hangs chan struct{} // not nil: answers once it is closed
}

var errSealed = errors.New("sealed")

func newWrapper(t *testing.T) *wrapper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "period.key")
	if err := shred.InitKeyFile(path); err != nil {
		t.Fatal(err)
	}
	file, err := shred.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &wrapper{KeyFile: file}
}

func (w *wrapper) set(away error, hangs chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away, w.hangs = away, hangs
}

func (w *wrapper) wait(ctx context.Context) error {
	w.mu.Lock()
	away, hangs := w.away, w.hangs
	w.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return away
}

func (w *wrapper) WrapPeriod(ctx context.Context, p shred.Period) ([]byte, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	return w.KeyFile.WrapPeriod(ctx, p)
}

func (w *wrapper) UnwrapPeriod(ctx context.Context, id string, wrapped []byte) (shred.Period, error) {
	if err := w.wait(ctx); err != nil {
		return shred.Period{}, err
	}
	return w.KeyFile.UnwrapPeriod(ctx, id, wrapped)
}

// uploader puts first parts into an exchange over another wrapper.
type uploader struct {
	*apitest.World
	x     *exchange.Exchange
	nonce rune
}

func (u *uploader) open(t *testing.T, w shred.PeriodWrapper, log io.Writer) {
	t.Helper()
	cfg := u.X.Config
	cfg.Periods, cfg.Log = w, slog.New(slog.NewTextHandler(log, nil))
	var err error
	if u.x, err = exchange.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func (u *uploader) put(ctx context.Context, s *apitest.Sealed) error {
	u.nonce++
	caller := exchange.Caller{Key: statement.KeyID(u.A.Officers[0].Public()), Nonce: string('a' + u.nonce)}
	_, err := u.x.PutPart(ctx, caller, s.Msg(), 0, 0, bytes.NewReader(s.Parts[0]))
	return err
}

func refused(err error, code string) bool {
	r, ok := exchange.AsRefusal(err)
	return ok && r.Code == code
}

// While whoever wraps period keys is away, what needs a key that is not in memory
// is refused and leaves nothing; what does not goes on. All recovers by itself.
func TestKeysAway(t *testing.T) {
	ctx := t.Context()
	u := &uploader{World: apitest.Start(t, api.Options{})}
	w, log := newWrapper(t), &bytes.Buffer{}
	u.open(t, w, log)
	first, second := u.Seal(nil), u.Seal(nil)

	w.set(errSealed, nil)
	for range 3 {
		if err := u.put(ctx, first); !refused(err, "keys_unavailable") {
			t.Fatalf("an upload without a key: %v", err)
		}
	}
	if n := strings.Count(log.String(), "cannot be had"); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
	err := u.X.Store.Read(ctx, func(v exchange.View) error {
		rows, err1 := v.Periods(ctx)
		_, _, key, err2 := v.Shred(ctx, first.Msg())
		_, part, err3 := v.Upload(ctx, first.Msg(), 0)
		if len(rows) != 0 || key || part {
			t.Errorf("something was kept: %v %v %v", rows, key, part)
		}
		return errors.Join(err1, err2, err3)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.set(nil, nil)
	if err := u.put(ctx, first); err != nil {
		t.Fatalf("once it is back: %v", err)
	}
	w.set(errSealed, nil)
	if err := u.put(ctx, second); err != nil {
		t.Errorf("a key in memory: %v", err)
	}
	u.open(t, w, log) // a start while it is away
	if err := u.put(ctx, u.Seal(nil)); !refused(err, "keys_unavailable") {
		t.Errorf("a key that is not in memory: %v", err)
	}
	if err := u.x.KeepPeriods(ctx); !refused(err, "keys_unavailable") {
		t.Errorf("kept: %v", err)
	}
	w.set(nil, nil)
	if err := u.x.KeepPeriods(ctx); err != nil {
		t.Fatal(err)
	}
	w.set(errSealed, nil)
	if err := u.put(ctx, u.Seal(nil)); err != nil {
		t.Errorf("brought into memory: %v", err)
	}
}

// A wrapper that does not answer holds up nobody who needs no answer, and a
// request that is given up waits no longer.
func TestKeysHang(t *testing.T) {
	ctx := t.Context()
	u := &uploader{World: apitest.Start(t, api.Options{})}
	w := newWrapper(t)
	u.open(t, w, io.Discard)
	if err := u.put(ctx, u.Seal(nil)); err != nil {
		t.Fatal(err)
	}
	err := u.X.Store.Scratch(ctx, func(s exchange.Scratch) error {
		return s.PutPeriod(ctx, "elsewhere", []byte("of another server"), u.Clock.Now()-1)
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan struct{})
	w.set(nil, answer)
	waits := make(chan error, 1)
	go func() { waits <- u.x.KeepPeriods(ctx) }() // hangs at the other one
	given, give := context.WithCancel(ctx)
	give()
	if err := u.x.KeepPeriods(given); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if err := u.put(ctx, u.Seal(nil)); err != nil {
		t.Errorf("a key in memory, while another is asked for: %v", err)
	}
	close(answer)
	if err := <-waits; !refused(err, "keys_unavailable") {
		t.Errorf("a key that opens under nothing: %v", err)
	}
}

// The next period key is made a day before the last has served its term.
func TestNextPeriodAhead(t *testing.T) {
	ctx := t.Context()
	u := &uploader{World: apitest.Start(t, api.Options{})}
	u.open(t, newWrapper(t), io.Discard)
	for i, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Hour, 1}, {28 * 24 * time.Hour, 1}, {24 * time.Hour, 2}, {time.Hour, 2}} {
		u.Clock.Advance(step.after)
		if err := u.x.KeepPeriods(ctx); err != nil {
			t.Fatal(err)
		}
		if got := len(periods(t, u.X.Store)); got != step.want {
			t.Errorf("step %d: %d periods, want %d", i, got, step.want)
		}
	}
}

func periods(t *testing.T, store exchange.Store) (rows []exchange.PeriodRow) {
	t.Helper()
	err := store.Read(t.Context(), func(v exchange.View) (err error) {
		rows, err = v.Periods(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Period keys move from one wrapper to another in one step, which may be
// repeated, and never when one of them would be lost.
func TestRewrapPeriods(t *testing.T) {
	ctx := t.Context()
	store, err := sqlstore.Create(ctx, "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	from, to := newWrapper(t), newWrapper(t)
	for _, anew := range []bool{false, true} {
		if n, err := exchange.RewrapPeriods(ctx, store, from, to, anew); n != 0 || err != nil {
			t.Errorf("of nothing: %d, %v", n, err)
		}
	}
	keys := map[string]shred.Key{"a": shred.NewKey(), "b": shred.NewKey(), "c": shred.NewKey()}
	for id, key := range keys {
		wrapped, _ := from.WrapPeriod(ctx, shred.Period{ID: id, Key: key})
		if err := store.Scratch(ctx, func(s exchange.Scratch) error { return s.PutPeriod(ctx, id, wrapped, 7) }); err != nil {
			t.Fatal(err)
		}
	}
	open := func(w *wrapper) {
		t.Helper()
		for _, row := range periods(t, store) {
			p, err := w.UnwrapPeriod(ctx, row.ID, row.Wrapped)
			if err != nil || !bytes.Equal(p.Key.Secret(), keys[row.ID].Secret()) || row.At != 7 {
				t.Errorf("%s: %v", row.ID, err)
			}
		}
	}
	to.set(errSealed, nil)
	if _, err := exchange.RewrapPeriods(ctx, store, from, to, false); !errors.Is(err, errSealed) {
		t.Errorf("while it is away: %v", err)
	}
	open(from)
	to.set(nil, nil)
	for _, want := range []int{3, 0} {
		if n, err := exchange.RewrapPeriods(ctx, store, from, to, false); n != want || err != nil {
			t.Errorf("%d, %v, want %d", n, err, want)
		}
		open(to)
	}
	if n, err := exchange.RewrapPeriods(ctx, store, nil, to, true); n != 3 || err != nil {
		t.Errorf("anew: %d, %v", n, err)
	}
	open(to)
	if _, err := exchange.RewrapPeriods(ctx, store, newWrapper(t), newWrapper(t), false); !errors.Is(err, shred.ErrKey) {
		t.Errorf("keys that nobody opens: %v", err)
	}
	open(to)
	// A server that runs makes a key meanwhile.
	raced := &meddled{Store: store, do: func(s exchange.Scratch) error { return s.PutPeriod(ctx, "d", []byte("new"), 8) }}
	if _, err := exchange.RewrapPeriods(ctx, raced, to, from, false); !errors.Is(err, exchange.ErrPeriods) {
		t.Errorf("raced: %v", err)
	}
	if rows := periods(t, store); len(rows) != 3 {
		t.Errorf("%d rows", len(rows))
	}
	open(to)
}

// meddled is a store in which somebody writes just before a transaction reads.
type meddled struct {
	exchange.Store
	do func(s exchange.Scratch) error
}

func (m *meddled) Scratch(ctx context.Context, f func(exchange.Scratch) error) error {
	return m.Store.Scratch(ctx, func(s exchange.Scratch) error { return errors.Join(m.do(s), f(s)) })
}
