package sqlstore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/tlog"
)

func TestFailures(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []*Failure{ErrFull, ErrBusy, ErrReadOnly, ErrDamaged, ErrDisk, ErrNoFile, ErrExists, ErrSchema, ErrOutcome, ErrRefused, ErrClosed,
		ErrName, ErrUnreachable, ErrLogin, ErrForbidden, ErrOutdated, ErrNotDurable} {
		if f.Error() == "" || f.Hint() == "" || seen[f.Error()] || strings.HasSuffix(f.Hint(), ".") {
			t.Errorf("failure %q with hint %q", f.Error(), f.Hint())
		}
		seen[f.Error()] = true
	}
}

func TestFailureOfCode(t *testing.T) {
	for code, want := range map[int]*Failure{5: ErrBusy, 6: ErrBusy, 8: ErrReadOnly, 3: ErrReadOnly, 14: ErrReadOnly, 10: ErrDisk,
		11: ErrDamaged, 26: ErrDamaged, 13: ErrFull, 19: ErrRefused, 1: nil, 21: nil} {
		if got := kindOfCode(code); got != want {
			t.Errorf("code %d: %v, want %v", code, got, want)
		}
	}
}

// TestBusy: a second Store on the file, as another process would have it.
func TestBusy(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	other, err := open(ctx, "sqlite:"+r.path, 30*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, other)
	err = r.Write(ctx, func(tx exchange.Tx) error {
		wantFailure(t, "write while another writes", other.Write(ctx, func(exchange.Tx) error { t.Error("ran"); return nil }), ErrBusy)
		wantFailure(t, "scratch while another writes", other.Scratch(ctx, func(exchange.Scratch) error { t.Error("ran"); return nil }), ErrBusy)
		wantLast(t, other, "m_a", -1)
		return tx.PutLast(ctx, "m_a", 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantLast(t, other, "m_a", 1)
	put(t, other, "m_a", 2)
	wantLast(t, r.Store, "m_a", 2)
	_, err = open(ctx, "sqlite:"+r.path, time.Millisecond)
	if err != nil {
		t.Errorf("open while nobody writes: %v", err)
	}
}

// TestTwoStores: writers of two Stores on one file take turns.
func TestTwoStores(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	other, err := Open(ctx, "sqlite:"+r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, other)
	var wg sync.WaitGroup
	for _, s := range []*Store{r.Store, other, r.Store, other} {
		wg.Go(func() {
			for range 25 {
				err := s.Write(ctx, func(tx exchange.Tx) error {
					n, err := tx.Last(ctx, "m_count")
					return errors.Join(err, tx.PutLast(ctx, "m_count", n+1))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantLast(t, r.Store, "m_count", 99)
}

// TestAfterTheEnd: a transaction kept beyond its function does nothing, whatever
// the connection does meanwhile.
func TestAfterTheEnd(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	var tx exchange.Tx
	var sc exchange.Scratch
	var v exchange.View
	fail := errors.New("fail")
	for name, keep := range map[string]func() error{
		"committed":   func() error { return r.Write(ctx, func(t exchange.Tx) error { tx = t; return nil }) },
		"rolled back": func() error { return r.Write(ctx, func(t exchange.Tx) error { tx = t; return fail }) },
	} {
		if err := keep(); err != nil && !errors.Is(err, fail) {
			t.Fatal(err)
		}
		if err := tx.PutLast(ctx, "m_a", 1); !errors.Is(err, errEnded) {
			t.Errorf("%s: a write after the end: %v", name, err)
		}
		if err := tx.Savepoint(ctx, func() error { t.Error("ran"); return nil }); !errors.Is(err, errEnded) {
			t.Errorf("%s: a savepoint after the end: %v", name, err)
		}
	}
	errs := errors.Join(r.Scratch(ctx, func(s exchange.Scratch) error { sc = s; return nil }), r.Read(ctx, func(w exchange.View) error { v = w; return nil }))
	if errs != nil {
		t.Fatal(errs)
	}
	if err := sc.PutPackage(ctx, "a", nil); !errors.Is(err, errEnded) {
		t.Errorf("scratch after the end: %v", err)
	}
	if _, err := v.Last(ctx, "m_a"); !errors.Is(err, errEnded) {
		t.Errorf("view after the end: %v", err)
	}
	wantLast(t, r.Store, "m_a", -1)
}

// TestLostTransaction ends the transaction behind the back of the session, as
// SQLite does by itself after some errors: nothing that follows is kept, and the
// connection is replaced.
func TestLostTransaction(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	err := r.transact(ctx, r.writer, section, func(tx *tx) error {
		if err := tx.PutLast(ctx, "m_lost", 1); err != nil {
			t.Error(err)
		}
		_, err := tx.conn.raw.ExecContext(ctx, "ROLLBACK")
		return err
	})
	wantFailure(t, "commit of what was rolled back", err, ErrOutcome)
	wantLast(t, r.Store, "m_lost", -1)

	err = r.transact(ctx, r.writer, section, func(tx *tx) error {
		_, err := tx.exec(ctx, "SELECT no_such_function()")
		if err == nil {
			t.Error("an error of the engine was lost")
		}
		if again := tx.PutLast(ctx, "m_after", 1); again == nil {
			t.Error("wrote after an error that may have ended the transaction")
		}
		within := tx.Savepoint(ctx, func() error { t.Error("ran"); return nil })
		if within == nil {
			t.Error("a savepoint after an error that may have ended the transaction")
		}
		return nil // the caller may have lost it too
	})
	if err == nil {
		t.Error("committed after an error that may have ended the transaction")
	}
	wantLast(t, r.Store, "m_after", -1)
	put(t, r.Store, "m_a", 1)
	wantLast(t, r.Store, "m_a", 1)
}

func TestClosed(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir() + "/ledger.db"
	s, err := Create(ctx, "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	began, done := make(chan struct{}), make(chan error)
	go func() {
		done <- s.Write(ctx, func(tx exchange.Tx) error {
			close(began)
			time.Sleep(20 * time.Millisecond) // long enough for Close to be waiting, whichever is first the result is the same
			return tx.PutLast(ctx, "m_a", 1)
		})
	}()
	<-began
	closed(t, s)
	if err := <-done; err != nil {
		t.Errorf("the transaction in progress: %v", err)
	}
	wantFailure(t, "write", s.Write(ctx, func(exchange.Tx) error { return nil }), ErrClosed)
	wantFailure(t, "scratch", s.Scratch(ctx, func(exchange.Scratch) error { return nil }), ErrClosed)
	wantFailure(t, "read", s.Read(ctx, func(exchange.View) error { return nil }), ErrClosed)
	if err := s.Close(); err == nil {
		t.Error("closed twice without an error")
	}
	s, err = Open(ctx, "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	wantLast(t, s, "m_a", 1)
	closed(t, s)
}

// TestGoneWhileWaiting: a caller whose context ends while another writes, or
// while all readers are busy, does not wait on.
func TestGoneWhileWaiting(t *testing.T) {
	r := newRaw(t)
	background := context.Background()
	ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	err := r.Write(background, func(exchange.Tx) error {
		return r.Write(ctx, func(exchange.Tx) error { t.Error("ran"); return nil })
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for the writer: %v", err)
	}
	var nest func(depth int) error
	nest = func(depth int) error {
		if depth == readers {
			return r.Read(ctx, func(exchange.View) error { t.Error("ran"); return nil })
		}
		return r.Read(background, func(exchange.View) error { return nest(depth + 1) })
	}
	if err := nest(0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a reader: %v", err)
	}
	wantLast(t, r.Store, "m_a", -1)
}

// TestHoles: rows that the heads do not cover, or that leave a gap, are refused
// at the latest by the commit.
func TestHoles(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	if _, err := appendGroup(ctx, r.Store, 3); err != nil {
		t.Fatal(err)
	}
	head := func(tx exchange.Tx, size int64) error {
		old, err := tx.Head(ctx, ledger.Ev)
		if err != nil {
			return err
		}
		return tx.MoveHead(ctx, ledger.Ev, old, ledger.Head{Size: size, Root: tlog.Hash{1}, At: old.At})
	}
	entries := func(tx exchange.Tx, first int64, n int) error {
		return tx.InsertEntries(ctx, ledger.Ev, first, storagetest.Leaves("x", n))
	}
	for what, f := range map[string]func(tx exchange.Tx) error{
		"a gap before entries":     func(tx exchange.Tx) error { return errors.Join(entries(tx, 4, 1), head(tx, 5)) },
		"a gap between entries":    func(tx exchange.Tx) error { return errors.Join(entries(tx, 3, 1), entries(tx, 5, 1), head(tx, 6)) },
		"entries beyond the head":  func(tx exchange.Tx) error { return errors.Join(entries(tx, 3, 2), head(tx, 4)) },
		"entries without the head": func(tx exchange.Tx) error { return entries(tx, 3, 1) },
		"nodes without the head":   func(tx exchange.Tx) error { return tx.InsertNodes(ctx, ledger.Ev, 4, []tlog.Hash{{1}}) },
		"a gap before nodes":       func(tx exchange.Tx) error { return tx.InsertNodes(ctx, ledger.Ev, 5, []tlog.Hash{{1}}) },
	} {
		wantFailure(t, what, r.Write(ctx, f), ErrRefused)
		if size := checkWhole(t, r.Store); size != 3 {
			t.Errorf("after %s: size %d", what, size)
		}
	}
}

// TestGuards: what the triggers refuse is refused by them and not by a slip in
// the statement, and they say why.
func TestGuards(t *testing.T) {
	r := newRaw(t)
	next := int64(0)
	if err := writeGroup(context.Background(), r.Store, newGroup(&next), false); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"UPDATE entry SET leaf = leaf":                                          "entry: append-only, no row may be changed",
		"DELETE FROM entry":                                                     "entry: append-only, no row may be deleted",
		"INSERT OR REPLACE INTO entry SELECT * FROM entry":                      "entry: the index is taken",
		"UPDATE node SET hash = hash":                                           "node: append-only, no row may be changed",
		"DELETE FROM node":                                                      "node: append-only, no row may be deleted",
		"REPLACE INTO node SELECT * FROM node":                                  "node: the position is taken",
		"UPDATE opening SET meta = meta":                                        "opening: append-only",
		"DELETE FROM opening":                                                   "opening: only the eraser may delete",
		"REPLACE INTO opening SELECT * FROM opening":                            "opening: the index is taken",
		"INSERT INTO erasure (idx) VALUES (1)":                                  "erasure: only the eraser may insert",
		"DELETE FROM head":                                                      "head: a row may not be deleted",
		"UPDATE head SET size = size + 1 WHERE log = 1":                         "head: it only moves forward",
		"UPDATE head SET log = 2 WHERE log = 1":                                 "head: it only moves forward",
		"INSERT INTO head (log, size, root, at) VALUES (2, 0, zeroblob(32), 0)": "head: its rows were made with the ledger",
		"UPDATE covered SET count = count - 1":                                  "covered: it only grows, except to the truth",
		"DELETE FROM covered":                                                   "covered: the row may not be deleted",
		"INSERT INTO covered VALUES (1, 9)":                                     "covered: one row",
	} {
		err := failed("try", r.Exec(query))
		wantFailure(t, query, err, ErrRefused)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}
