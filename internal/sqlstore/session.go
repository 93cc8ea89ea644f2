package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/odziv/odziv/ledger"
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

	// refused: PostgreSQL runs no further statement after a refused row, until
	// the savepoint before it is gone back to.
	refused error

	start [len(ledger.Logs)]ledger.Head // of a section, on PostgreSQL
}

var errEnded = errors.New("sqlstore: the transaction has ended; it may not be used outside its function")

// exec runs a statement and returns how many rows it changed.
func (s *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := s.flush(ctx); err != nil {
		return 0, err
	}
	stmt, err := s.ready(ctx, query, args)
	if err != nil {
		return 0, err
	}
	s.conn.sent++
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
	if err := s.flushFor(ctx, query); err != nil {
		return err
	}
	stmt, err := s.ready(ctx, query, args)
	if err != nil {
		return err
	}
	s.conn.sent++
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
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if err := checkText(query, args); err != nil {
		return nil, err
	}
	stmt, err := s.conn.prepare(ctx, query)
	if err != nil {
		return nil, s.fail(query, err)
	}
	return stmt, nil
}

// usable says why no statement may run now.
func (s *session) usable(ctx context.Context) error {
	if s.over != nil {
		return s.over
	}
	if s.refused != nil {
		return s.refused
	}
	return ctx.Err()
}

func checkText(query string, args []any) error {
	for _, a := range args {
		if t, ok := a.(string); ok && !isText(t) {
			return fmt.Errorf("sqlstore: %s: text with a NUL or invalid UTF-8: %.40q", doing(query), t)
		}
	}
	return nil
}

// isText accepts what every engine stores unchanged: PostgreSQL refuses NUL and
// invalid UTF-8, so SQLite must not take them either.
func isText(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// fail wraps an error of the engine. After anything but a refused row SQLite
// may have rolled back the transaction by itself, and what followed would be
// committed one by one: such an error ends the session.
func (s *session) fail(query string, err error) error {
	err = failed(doing(query), err)
	switch {
	case !errors.Is(err, ErrRefused):
		s.over = err
	case s.conn.later != nil:
		s.refused = err
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
