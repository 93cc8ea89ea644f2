package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A session is one transaction on a connection. It is not safe for concurrent
// use.
//
// A context ends a session between statements, never within one: interrupting
// SQLite in the middle of a write rolls the whole transaction back, and with it
// what other callers wrote in the same group.
type session struct {
	conn *conn
	over error // why no further statement may run
}

var errEnded = errors.New("sqlstore: the transaction has ended; it may not be used outside its function")

// begin starts a transaction.
func (c *conn) begin(ctx context.Context, statements ...string) (*session, error) {
	s := &session{conn: c}
	for _, q := range statements {
		if _, err := s.exec(ctx, q); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := s.ready(ctx, query, args)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return 0, s.fail(query, err)
	}
	return res.RowsAffected()
}

// row scans the first row of a query; found is false if there is none.
func (s *session) row(ctx context.Context, query string, args []any, dest ...any) (found bool, err error) {
	err = s.each(ctx, query, args, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(dest...)
	})
	return found, err
}

// each calls f for every row. f must not use the session.
func (s *session) each(ctx context.Context, query string, args []any, f func(rows *sql.Rows) error) error {
	stmt, err := s.ready(ctx, query, args)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return s.fail(query, err)
	}
	for rows.Next() {
		if err := errors.Join(ctx.Err(), f(rows)); err != nil {
			_ = rows.Close()
			return err
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return s.fail(query, err)
	}
	return nil
}

// ready prepares a statement after looking at what could not be undone later.
func (s *session) ready(ctx context.Context, query string, args []any) (*sql.Stmt, error) {
	if s.over != nil {
		return nil, s.over
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, a := range args {
		if t, ok := a.(string); ok && !isText(t) {
			return nil, fmt.Errorf("sqlstore: %s: text with a NUL or invalid UTF-8: %.40q", doing(query), t)
		}
	}
	stmt, err := s.conn.prepare(ctx, query)
	if err != nil {
		return nil, s.fail(query, err)
	}
	return stmt, nil
}

// isText accepts what every engine stores unchanged: PostgreSQL refuses NUL and
// invalid UTF-8, so SQLite must not take them either.
func isText(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// fail wraps an error of the engine. After anything but a refused row SQLite
// may have rolled back the transaction by itself, and what followed would be
// committed one by one: such an error ends the session.
func (s *session) fail(query string, err error) error {
	err = failed(doing(query), err)
	if !errors.Is(err, ErrRefused) {
		s.over = err
	}
	return err
}

// doing names a statement by its first words: "INSERT INTO msg".
func doing(query string) string {
	head, _, _ := strings.Cut(query, "(")
	if words := strings.Fields(head); len(words) > 3 {
		return strings.Join(words[:3], " ")
	}
	return strings.TrimSpace(head)
}

// end makes the session unusable.
func (s *session) end() {
	if s.over == nil {
		s.over = errEnded
	}
}
