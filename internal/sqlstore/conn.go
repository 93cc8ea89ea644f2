package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// A conn is one connection, kept for the life of the Store with its prepared
// statements. It is used by one transaction at a time.
type conn struct {
	raw   *sql.Conn
	stmts map[string]*sql.Stmt
}

// settings are the pragmas of a connection. They are set one by one and not in
// the name of the database, so that a failure says which.
type settings []string

func settingsFor(role role, busy time.Duration) settings {
	s := settings{
		timeoutPragma(busy),
		"PRAGMA foreign_keys = ON",
		"PRAGMA trusted_schema = OFF", // no function of the program runs from within the file
	}
	if role == reading {
		return append(s, "PRAGMA query_only = ON")
	}
	return append(s,
		"PRAGMA synchronous = FULL",  // an answer follows the fsync of the log
		"PRAGMA fullfsync = ON",      // macOS: through the drive's cache too
		"PRAGMA secure_delete = ON",  // what is erased is overwritten
		"PRAGMA temp_store = MEMORY", // what a savepoint would undo
		"PRAGMA cache_size = -16384", // KiB: a group fits without spilling into the log twice
		"PRAGMA wal_autocheckpoint = 4000",
		"PRAGMA journal_size_limit = 67108864",
	)
}

func timeoutPragma(busy time.Duration) string {
	return fmt.Sprintf("PRAGMA busy_timeout = %d", busy.Milliseconds())
}

// connect opens a connection and prepares it for its role.
func connect(ctx context.Context, db *sql.DB, role role, busy time.Duration) (*conn, error) {
	raw, err := db.Conn(ctx)
	if err != nil {
		return nil, failed("connect", err)
	}
	c := &conn{raw: raw, stmts: map[string]*sql.Stmt{}}
	for _, pragma := range settingsFor(role, busy) {
		if _, err := raw.ExecContext(ctx, pragma); err != nil {
			c.discard()
			return nil, failed(pragma, err)
		}
	}
	return c, nil
}

// useLog puts the database under a write-ahead log, for good, and asks what is
// in force: SQLite answers a mode it cannot provide by keeping another, without
// an error.
func (c *conn) useLog(ctx context.Context) error {
	var journal string
	if err := c.raw.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&journal); err != nil {
		return failed("set the journal mode", err)
	}
	var synchronous int
	if err := c.raw.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return failed("read the synchronous mode", err)
	}
	if journal != "wal" || synchronous != 2 {
		return fmt.Errorf("sqlstore: journal mode %q and synchronous %d where wal and 2 were asked: %w", journal, synchronous, ErrReadOnly)
	}
	return nil
}

// prepare returns the statement for query, prepared on first use. The texts are
// constants of this package or come from its few templates, so the map stays
// small.
func (c *conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.raw.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

// discard closes the connection for good.
func (c *conn) discard() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	_ = c.raw.Raw(func(any) error { return driver.ErrBadConn }) // not back into the pool of database/sql
	_ = c.raw.Close()
}

// role is what a connection is for.
type role int

const (
	reading role = iota
	writing
)

// A pool hands out connections, first come first served. A slot is nil until
// its connection is needed.
type pool struct {
	slots  chan *conn
	size   int
	open   func(ctx context.Context) (*conn, error)
	closed chan struct{}
}

func newPool(size int, open func(ctx context.Context) (*conn, error)) *pool {
	p := &pool{slots: make(chan *conn, size), size: size, open: open, closed: make(chan struct{})}
	for range size {
		p.slots <- nil
	}
	return p
}

func (p *pool) take(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var c *conn
	select {
	case <-p.closed:
		return nil, fmt.Errorf("sqlstore: %w", ErrClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	case c = <-p.slots:
	}
	if c != nil {
		return c, nil
	}
	c, err := p.open(ctx)
	if err != nil {
		p.slots <- nil
		return nil, err
	}
	return c, nil
}

// give returns a connection; nil if it had to be discarded.
func (p *pool) give(c *conn) { p.slots <- c }

// close waits until every connection is back and closes them. Idle ones of
// database/sql there are none.
func (p *pool) close() error {
	select {
	case <-p.closed:
		return errors.New("sqlstore: closed twice")
	default:
		close(p.closed)
	}
	for range p.size {
		if c := <-p.slots; c != nil {
			c.discard()
		}
	}
	return nil
}
