package sqlstore

import (
	"context"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// An engine is what SQLite and PostgreSQL do differently. Everything else, the
// tables and nearly every statement, they share.
type engine interface {
	// connect opens a connection and prepares it for its role.
	connect(ctx context.Context, r role) (*conn, error)
	// begin starts a transaction; its error is that of the first statement, so
	// that nothing was done when it fails.
	begin(ctx context.Context, c *conn, k kindOfTx) (*session, error)
	// commit makes what was written durable. Its error leaves the outcome open.
	commit(c *conn) error
	// committed follows a commit; erased says that something was deleted for good.
	committed(ctx context.Context, c *conn, erased bool)

	// asEraser runs f with the right to delete.
	asEraser(ctx context.Context, s *session, f func() error) error
	// heads reads what begin already knows of the heads, if anything.
	heads(s *session) (heads [len(ledger.Logs)]ledger.Head, known bool)
	// now reads the engine's own clock; ok is false where it has none.
	now(ctx context.Context, s *session) (at int64, ok bool, err error)

	// among is the condition that a column has one of the values, $first and
	// following being free for its arguments.
	among(column string, first int, values []string) (condition string, args []any, err error)
	// positions is the same for numbers.
	positions(column string, first int, values []int64) (condition string, args []any)
	// insertEntries and insertNodes insert rows numbered from first on.
	insertEntries(ctx context.Context, s *session, log ledger.Log, first int64, leaves [][]byte) error
	insertNodes(ctx context.Context, s *session, log ledger.Log, first int64, hashes []tlog.Hash) error
	// lock ends a SELECT of rows that this transaction is going to change, skip
	// one that takes only rows nobody else is changing.
	lock() string
	skip() string
	// lockMessage lets one transaction at a time work on a message's uploads.
	lockMessage(ctx context.Context, s *session, msg string) error

	// close releases what connect does not.
	close() error
}

// kindOfTx is what a transaction is for.
type kindOfTx int

const (
	snapshot kindOfTx = iota // reads one state
	section                  // the serialized section
	outside                  // writes beside it
)

// role is what a connection is for.
type role int

const (
	reading role = iota
	writing
)
