package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// view implements exchange.View.
type view struct{ *session }

// scratch implements exchange.Scratch.
type scratch struct {
	view
	erased  *bool // something was erased: the log must be cut after the commit
	section bool  // it is the serialized section
}

// tx implements exchange.Tx.
type tx struct {
	scratch
	depth int // of savepoints
	grown grown
	feeds map[string]int64 // the last number of feeds asked for
}

// grown is what a transaction added, for checking the whole before it commits.
// It is copied by a savepoint and so falls back with it.
type grown struct {
	heads   [len(ledger.Logs)]ledger.Head // as they are now, where known
	known   [len(ledger.Logs)]bool
	entries [len(ledger.Logs)]int64 // next index, 0 if none was inserted
	nodes   [len(ledger.Logs)]int64 // next position, likewise
	covered int64                   // leaves that got an opening or an erasure
	beyond  int64                   // the greatest index of these, plus one
}

// snapshot runs f in a reading transaction.
func (s *Store) snapshot(ctx context.Context, f func(*view) error) (err error) {
	c, ses, err := s.enter(ctx, s.reader, snapshot)
	if err != nil {
		return err
	}
	defer func() { s.reader.give(c) }()
	defer func() {
		ses.end()
		c = c.rollback(ctx)
	}()
	return f(&view{ses})
}

// transact runs f in a writing transaction and commits.
func (s *Store) transact(ctx context.Context, p *pool, k kindOfTx, f func(*tx) error) (err error) {
	c, ses, err := s.enter(ctx, p, k)
	if err != nil {
		return err
	}
	defer func() { p.give(c) }()
	committed := false
	defer func() { // also when f panics
		ses.end()
		if !committed {
			c = c.rollback(ctx)
		}
	}()
	erased := false
	t := &tx{scratch: scratch{view{ses}, &erased, k == section}}
	if heads, known := s.engine.heads(ses); known {
		t.grown.heads = heads
		for log := range t.grown.known {
			t.grown.known[log] = true
		}
	}
	if err := f(t); err != nil {
		return err
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	committed = true
	s.engine.committed(ctx, c, erased)
	return nil
}

// enter takes a connection and begins. A connection that worked before may have
// been lost since, by a restart or a failover: as nothing was done yet, a new one
// is tried once.
func (s *Store) enter(ctx context.Context, p *pool, k kindOfTx) (*conn, *session, error) {
	c, err := p.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	was := c.used
	ses, err := s.engine.begin(ctx, c, k)
	if errors.Is(err, ErrUnreachable) && was {
		c.discard()
		if c, err = p.open(ctx); err == nil {
			ses, err = s.engine.begin(ctx, c, k)
		}
	}
	if err == nil {
		c.used = true
		return c, ses, nil
	}
	if c != nil {
		c = c.rollback(ctx)
	}
	p.give(c)
	return nil, nil, err
}

// rollback ends a transaction without keeping it. A connection that cannot even
// do that is thrown away, and with it the transaction.
func (c *conn) rollback(ctx context.Context) *conn {
	ctx = context.WithoutCancel(ctx)
	var err error
	if c.later != nil { // prepared statements cannot be had after a refused row
		c.later.drop()
		_, err = c.raw.ExecContext(ctx, "ROLLBACK")
	} else {
		var stmt *sql.Stmt
		if stmt, err = c.prepare(ctx, "ROLLBACK"); err == nil {
			_, err = stmt.ExecContext(ctx)
		}
	}
	if err != nil {
		c.discard()
		return nil
	}
	return c
}

// finish checks the whole and commits. Once COMMIT was sent, an error leaves the
// outcome open.
func (t *tx) finish(ctx context.Context) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	if err := t.checkWhole(ctx); err != nil {
		return err
	}
	if err := t.keepCovered(ctx); err != nil {
		return err
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if err := t.usable(ctx); err != nil {
		return err
	}
	if err := t.conn.engine.commit(t.conn); err != nil {
		return fmt.Errorf("%w; %w", failed("commit", err), ErrOutcome) // the hint of the cause comes first
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
	mark, err := t.mark(ctx, name)
	if err != nil {
		return err
	}
	if err = f(); err == nil {
		err = t.release(ctx, name, mark)
	}
	if err == nil {
		return nil
	}
	t.grown, t.feeds = before, nil
	if undo := t.goBack(context.WithoutCancel(ctx), name, mark); undo != nil {
		return undo
	}
	return err
}
