package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/lib/pq"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// Beginnings of transactions, each one journey.
//
// The section is the lock on the rows of head: whoever asks next is next. It is
// taken first in READ COMMITTED, so that everything read after it is what the
// holder before committed. Waiting for it is bounded by lock_timeout alone.
//
// A snapshot of PostgreSQL begins with the first thing read.
const (
	pgSection = `BEGIN; SET LOCAL statement_timeout TO 0;
SELECT log, size, root, at FROM head ORDER BY log FOR UPDATE;
SET LOCAL statement_timeout TO `
	pgSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1"
	pgOutside  = "BEGIN"
)

// begin implements engine.
func (e *postgresEngine) begin(ctx context.Context, c *conn, k kindOfTx) (*session, error) {
	s := &session{conn: c}
	c.sent++
	ctx = context.WithoutCancel(ctx)
	var err error
	switch k {
	case section:
		err = e.lockHeads(ctx, s)
	case snapshot:
		_, err = c.raw.ExecContext(ctx, pgSnapshot)
	default:
		_, err = c.raw.ExecContext(ctx, pgOutside)
	}
	if err != nil {
		return nil, failed("begin", err)
	}
	return s, nil
}

func (e *postgresEngine) lockHeads(ctx context.Context, s *session) error {
	after := ms(e.limits.statement)
	if e.given["statement_timeout"] {
		after = "DEFAULT" // what the connection began with
	}
	rows, err := s.conn.raw.QueryContext(ctx, pgSection+after)
	if err != nil {
		return err
	}
	n := 0
	err = scanAll(rows, func() error {
		var log ledger.Log
		var h ledger.Head
		var root []byte
		if err := rows.Scan(&log, &h.Size, &root, &h.At); err != nil {
			return err
		}
		if err := checkLog(log); err != nil {
			return err
		}
		n++
		s.start[log] = h
		return setHash(&s.start[log].Root, root)
	})
	if err == nil && n != len(ledger.Logs) {
		err = fmt.Errorf("%d heads: %w", n, ErrDamaged)
	}
	return err
}

// heads implements engine.
func (e *postgresEngine) heads(s *session) ([len(ledger.Logs)]ledger.Head, bool) {
	return s.start, s.start[0].Root != tlog.Hash{} // the root of nothing is the hash of nothing
}

// commit implements engine. It is never interrupted: lib/pq reports a commit as
// done whose waiting for the synchronous standby was cancelled, by a context, a
// time limit or the operator, and PostgreSQL says no more than a warning. So no
// limit applies, and a warning leaves the outcome open. In a transaction that
// failed already the SET fails, where COMMIT would roll back and say nothing.
func (e *postgresEngine) commit(c *conn) error {
	c.warning = nil
	c.sent++
	_, err := c.raw.ExecContext(context.Background(), "SET LOCAL statement_timeout TO 0; COMMIT")
	if err == nil && c.warning != nil {
		err = fmt.Errorf("%w: %w", errUnconfirmed, c.warning)
	}
	return err
}

var errUnconfirmed = errors.New("kept here, but perhaps not on the standby")

// committed implements engine. What was erased leaves the files when autovacuum
// comes to the tables, which the schema asks for at once.
func (e *postgresEngine) committed(context.Context, *conn, bool) {}

// asEraser implements engine. A savepoint or transaction that is gone back upon
// takes the role with it.
func (e *postgresEngine) asEraser(ctx context.Context, s *session, f func() error) error {
	if _, err := s.exec(ctx, "SET LOCAL ROLE odziv_eraser"); err != nil {
		return err
	}
	err := f()
	if s.usable(context.WithoutCancel(ctx)) != nil {
		return err
	}
	if _, undo := s.exec(context.WithoutCancel(ctx), "SET LOCAL ROLE odziv_api"); undo != nil {
		return undo
	}
	return err
}

// now implements engine.
func (e *postgresEngine) now(ctx context.Context, s *session) (at int64, ok bool, err error) {
	const query = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
	ok, err = s.row(ctx, query, nil, &at)
	return at, ok, err
}

// among implements engine: one text serves all lengths.
func (e *postgresEngine) among(column string, first int, values []string) (string, []any, error) {
	if len(values) > maxCases {
		return "", nil, tooMany(len(values))
	}
	return fmt.Sprintf("%s = ANY($%d)", column, first), []any{pq.Array(values)}, nil
}

// positions implements engine.
func (e *postgresEngine) positions(column string, first int, values []int64) (string, []any) {
	return fmt.Sprintf("%s = ANY($%d)", column, first), []any{pq.Array(values)}
}

// Bounds of one INSERT.
const (
	entriesAtOnce = 8192
	nodesAtOnce   = 16384
	bytesAtOnce   = 4 << 20
)

// insertEntries implements engine. The leaves travel as one value, which the
// server cuts: half the bytes and a fraction of the work of an array.
func (e *postgresEngine) insertEntries(ctx context.Context, s *session, log ledger.Log, first int64, leaves [][]byte) error {
	const query = `INSERT INTO entry (log, idx, leaf)
SELECT $1::smallint, $2::bigint + cut.n - 1, substring($3::bytea FROM cut.start FOR cut.size)
FROM unnest($4::integer[], $5::integer[]) WITH ORDINALITY AS cut (start, size, n)`
	for len(leaves) > 0 {
		var all []byte
		var starts, sizes []int64
		for _, leaf := range leaves {
			if len(sizes) == entriesAtOnce || len(sizes) > 0 && len(all)+len(leaf) > bytesAtOnce {
				break
			}
			starts, sizes = append(starts, int64(len(all))+1), append(sizes, int64(len(leaf)))
			all = append(all, leaf...)
		}
		if _, err := s.exec(ctx, query, int64(log), first, all, pq.Array(starts), pq.Array(sizes)); err != nil {
			return err
		}
		first, leaves = first+int64(len(sizes)), leaves[len(sizes):]
	}
	return nil
}

// insertNodes implements engine in the same way.
func (e *postgresEngine) insertNodes(ctx context.Context, s *session, log ledger.Log, first int64, hashes []tlog.Hash) error {
	const query = `INSERT INTO node (log, pos, hash)
SELECT $1::smallint, $2::bigint + n, substring($3::bytea FROM n * 32 + 1 FOR 32) FROM generate_series(0, $4::integer - 1) AS n`
	for len(hashes) > 0 {
		n := min(len(hashes), nodesAtOnce)
		all := make([]byte, 0, n*tlog.HashSize)
		for _, h := range hashes[:n] {
			all = append(all, h[:]...)
		}
		if _, err := s.exec(ctx, query, int64(log), first, all, n); err != nil {
			return err
		}
		first, hashes = first+int64(n), hashes[n:]
	}
	return nil
}

// lock and skip implement engine.
func (e *postgresEngine) lock() string { return " FOR UPDATE" }
func (e *postgresEngine) skip() string { return " FOR UPDATE SKIP LOCKED" }

// lockMessage implements engine. Rows that are not there yet cannot be locked.
func (e *postgresEngine) lockMessage(ctx context.Context, s *session, msg string) error {
	_, err := s.exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 7311))", msg)
	return err
}
