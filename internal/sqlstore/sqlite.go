package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// sqliteEngine keeps the tables in one file. SQLite has one writer, so the
// section and what is written beside it queue for one connection.
type sqliteEngine struct {
	db   *sql.DB
	busy time.Duration // how long a transaction waits for another process

	// remembers: something erased is still in the write-ahead log. Belongs to
	// whoever holds the writer.
	remembers bool
}

// beginWrite takes the one write lock at once: a transaction that first read
// and then wanted to write could not be made to wait.
const beginWrite = "BEGIN IMMEDIATE"

// A snapshot of SQLite begins with the first thing read.
const (
	beginRead = "BEGIN"
	firstRead = "SELECT size FROM head WHERE log = 0"
)

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

// connect implements engine.
func (e *sqliteEngine) connect(ctx context.Context, r role) (*conn, error) {
	raw, err := e.db.Conn(ctx)
	if err != nil {
		return nil, failed("connect", err)
	}
	c := &conn{raw: raw, engine: e, stmts: map[string]*sql.Stmt{}}
	for _, pragma := range settingsFor(r, e.busy) {
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

// begin implements engine.
func (e *sqliteEngine) begin(ctx context.Context, c *conn, k kindOfTx) (*session, error) {
	s := &session{conn: c}
	statements := []string{beginWrite}
	if k == snapshot {
		statements = []string{beginRead, firstRead}
	}
	for _, q := range statements {
		if _, err := s.exec(ctx, q); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// commit implements engine.
func (e *sqliteEngine) commit(c *conn) error {
	ctx := context.Background()
	stmt, err := c.prepare(ctx, "COMMIT")
	if err == nil {
		_, err = stmt.ExecContext(ctx)
	}
	return err
}

// committed implements engine: it empties the write-ahead log, which still holds
// what was erased. It waits for nobody: while a reader is at the log, the next
// commit tries again.
func (e *sqliteEngine) committed(ctx context.Context, c *conn, erased bool) {
	if !erased && !e.remembers {
		return
	}
	ctx = context.WithoutCancel(ctx)
	blocked := 1
	if _, err := c.raw.ExecContext(ctx, timeoutPragma(0)); err == nil {
		var log, moved int
		_ = c.raw.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &log, &moved)
	}
	_, err := c.raw.ExecContext(ctx, timeoutPragma(e.busy))
	e.remembers = err != nil || blocked != 0
}

// asEraser implements engine: it turns the switch that the triggers ask.
func (e *sqliteEngine) asEraser(ctx context.Context, s *session, f func() error) error {
	if _, err := s.exec(ctx, "UPDATE eraser SET active = 1"); err != nil {
		return err
	}
	if err := f(); err != nil {
		_, undo := s.exec(context.WithoutCancel(ctx), "UPDATE eraser SET active = 0")
		if undo != nil {
			return undo
		}
		return err
	}
	_, err := s.exec(context.WithoutCancel(ctx), "UPDATE eraser SET active = 0")
	return err
}

// heads implements engine.
func (e *sqliteEngine) heads(*session) (heads [len(ledger.Logs)]ledger.Head, known bool) {
	return heads, false
}

// now implements engine: SQLite has the clock of the process, which the caller
// has too.
func (e *sqliteEngine) now(context.Context, *session) (at int64, ok bool, err error) {
	return 0, false, nil
}

// among implements engine. The values are repeated up to a power of two, so that
// few texts serve all lengths. Of no values nothing is a member.
func (e *sqliteEngine) among(column string, first int, values []string) (string, []any, error) {
	if len(values) > maxCases {
		return "", nil, tooMany(len(values))
	}
	condition, args := inList(column, first, values)
	return condition, args, nil
}

// positions implements engine.
func (e *sqliteEngine) positions(column string, first int, values []int64) (string, []any) {
	return inList(column, first, values)
}

func inList[T any](column string, first int, values []T) (condition string, args []any) {
	if len(values) == 0 {
		return column + " IN (NULL)", nil
	}
	n := 1
	for n < len(values) {
		n *= 2
	}
	args = make([]any, n)
	for i := range args {
		args[i] = values[min(i, len(values)-1)]
	}
	return column + " IN " + placeholders(first, n), args
}

// insertEntries implements engine.
func (e *sqliteEngine) insertEntries(ctx context.Context, s *session, log ledger.Log, first int64, leaves [][]byte) error {
	return s.insertRows(ctx, "entry (log, idx, leaf)", 3, len(leaves), func(args []any, i int) []any {
		return append(args, int64(log), first+int64(i), leaves[i])
	})
}

// insertNodes implements engine.
func (e *sqliteEngine) insertNodes(ctx context.Context, s *session, log ledger.Log, first int64, hashes []tlog.Hash) error {
	return s.insertRows(ctx, "node (log, pos, hash)", 3, len(hashes), func(args []any, i int) []any {
		return append(args, int64(log), first+int64(i), hashes[i][:])
	})
}

// lock and skip implement engine: nobody else writes.
func (e *sqliteEngine) lock() string { return "" }
func (e *sqliteEngine) skip() string { return "" }

// lockMessage implements engine.
func (e *sqliteEngine) lockMessage(context.Context, *session, string) error { return nil }

func (e *sqliteEngine) close() error { return e.db.Close() }
