package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// beginWrite takes the one write lock at once: a transaction that first read
// and then wanted to write could not be made to wait.
const beginWrite = "BEGIN IMMEDIATE"

// A snapshot of SQLite begins with the first thing read.
const (
	beginRead = "BEGIN"
	firstRead = "SELECT size FROM head WHERE log = 0"
)

// view implements exchange.View.
type view struct{ *session }

// scratch implements exchange.Scratch.
type scratch struct {
	view
	erased *bool // something was erased: the log must be cut after the commit
}

// tx implements exchange.Tx.
type tx struct {
	scratch
	depth int // of savepoints
	grown grown
}

// grown is what a transaction added, for checking the whole before it commits.
// It is copied by a savepoint and so falls back with it.
type grown struct {
	entries [len(ledger.Logs)]int64 // next index, 0 if none was inserted
	nodes   [len(ledger.Logs)]int64 // next position, likewise
	covered int64                   // leaves that got an opening or an erasure
	beyond  int64                   // the greatest index of these, plus one
}

// snapshot runs f in a reading transaction.
func (s *Store) snapshot(ctx context.Context, f func(*view) error) (err error) {
	c, err := s.reader.take(ctx)
	if err != nil {
		return err
	}
	defer func() { s.reader.give(c) }()
	ses, err := c.begin(ctx, beginRead, firstRead)
	if err != nil {
		c = c.rollback(ctx)
		return err
	}
	defer func() {
		ses.end()
		c = c.rollback(ctx)
	}()
	return f(&view{ses})
}

// transact runs f in the serialized section and commits.
func (s *Store) transact(ctx context.Context, f func(*tx) error) (err error) {
	c, err := s.writer.take(ctx)
	if err != nil {
		return err
	}
	defer func() { s.writer.give(c) }()
	ses, err := c.begin(ctx, beginWrite)
	if err != nil {
		return err
	}
	committed := false
	defer func() { // also when f panics
		ses.end()
		if !committed {
			c = c.rollback(ctx)
		}
	}()
	erased := false
	t := &tx{scratch: scratch{view{ses}, &erased}}
	if err := f(t); err != nil {
		return err
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	committed = true
	if erased || s.remembers {
		s.remembers = !c.forget(ctx, s.busy)
	}
	return nil
}

// rollback ends a transaction without keeping it. A connection that cannot even
// do that is thrown away, and with it the transaction.
func (c *conn) rollback(ctx context.Context) *conn {
	ctx = context.WithoutCancel(ctx)
	stmt, err := c.prepare(ctx, "ROLLBACK")
	if err == nil {
		_, err = stmt.ExecContext(ctx)
	}
	if err != nil {
		c.discard()
		return nil
	}
	return c
}

// forget empties the write-ahead log, which still holds what was erased. It
// waits for nobody: while a reader is at the log it reports false.
func (c *conn) forget(ctx context.Context, busy time.Duration) bool {
	ctx = context.WithoutCancel(ctx)
	blocked := 1
	if _, err := c.raw.ExecContext(ctx, timeoutPragma(0)); err == nil {
		var log, moved int
		_ = c.raw.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &log, &moved)
	}
	_, err := c.raw.ExecContext(ctx, timeoutPragma(busy))
	return err == nil && blocked == 0
}

// finish checks the whole and commits. Once COMMIT was sent, an error leaves the
// outcome open.
func (t *tx) finish(ctx context.Context) error {
	if t.over != nil {
		return t.over
	}
	if err := t.checkWhole(ctx); err != nil {
		return err
	}
	if err := t.keepCovered(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := t.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return fmt.Errorf("%w; %w", err, ErrOutcome) // the hint of the cause comes first
	}
	return nil
}

// checkWhole refuses to keep rows that the heads do not cover.
func (t *tx) checkWhole(ctx context.Context) error {
	for _, log := range ledger.Logs {
		g := &t.grown
		if g.entries[log] == 0 && g.nodes[log] == 0 && (log != ledger.Ev || g.beyond == 0) {
			continue
		}
		head, err := t.Head(ctx, log)
		if err != nil {
			return err
		}
		if g.entries[log] != 0 && g.entries[log] != head.Size {
			return fmt.Errorf("sqlstore: %s: entries up to %d under a head of %d: %w", log, g.entries[log], head.Size, ErrRefused)
		}
		if g.nodes[log] != 0 && g.nodes[log] != tlog.StoredHashCount(head.Size) {
			return fmt.Errorf("sqlstore: %s: nodes up to %d under a head of %d: %w", log, g.nodes[log], head.Size, ErrRefused)
		}
		if log == ledger.Ev && g.beyond > head.Size {
			return fmt.Errorf("sqlstore: opening %d under a head of %d: %w", g.beyond-1, head.Size, ErrRefused)
		}
	}
	return nil
}

// Savepoint implements exchange.Tx. A name says how deep it is nested, so it is
// unique among those that are open, and its statements stay prepared.
func (t *tx) Savepoint(ctx context.Context, f func() error) error {
	before := t.grown
	t.depth++
	defer func() { t.depth-- }()
	name := "s" + strconv.Itoa(t.depth)
	if _, err := t.exec(ctx, "SAVEPOINT "+name); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = t.exec(ctx, "RELEASE "+name)
		return err
	}
	t.grown = before
	ctx = context.WithoutCancel(ctx)
	if _, undo := t.exec(ctx, "ROLLBACK TO "+name); undo != nil {
		return undo
	}
	if _, undo := t.exec(ctx, "RELEASE "+name); undo != nil {
		return undo
	}
	return err
}
