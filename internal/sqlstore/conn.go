package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// A conn is one connection, kept for the life of the Store with its prepared
// statements. It is used by one transaction at a time.
type conn struct {
	raw    *sql.Conn
	engine engine
	stmts  map[string]*sql.Stmt
	later  *later // nil: every statement is sent at once
	sent   int    // journeys to the engine, for benchmarks
	used   bool   // a transaction went well: it may have been lost since

	warning error // the last that PostgreSQL sent
}

// prepare returns the statement for query, prepared on first use. The texts are
// constants of this package or come from its few templates, so the map stays
// small.
func (c *conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	c.sent++
	text := query
	if c.later == nil { // SQLite
		text = anonymous(query)
	}
	s, err := c.raw.PrepareContext(ctx, text)
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
