package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

const (
	// readers is how many snapshots may be read at once; more wait their turn.
	readers = 8

	// lockTimeout is how long a transaction waits for a writer in another
	// process, as lock_timeout on PostgreSQL.
	lockTimeout = 8 * time.Second
)

// A Store is an exchange.Store in an SQLite database. Within a process its
// writers queue in the order they came; between processes SQLite's lock decides.
// Safe for concurrent use. A function passed to one of its methods must not call
// another of them: it could wait for itself.
type Store struct {
	db     *sql.DB
	writer *pool // one connection: SQLite has one writer
	reader *pool
	busy   time.Duration

	// remembers: something erased is still in the write-ahead log. Belongs to
	// whoever holds the writer.
	remembers bool
}

var _ exchange.Store = (*Store)(nil)

// Open opens the database "sqlite:PATH", which must exist, and brings an older
// schema up to date. It refuses a newer one, and a file that is something else.
func Open(ctx context.Context, dsn string) (*Store, error) {
	return open(ctx, dsn, lockTimeout)
}

func open(ctx context.Context, dsn string, busy time.Duration) (*Store, error) {
	path, err := parsePath(dsn)
	if err != nil {
		return nil, err
	}
	if err := checkThere(path); err != nil {
		return nil, err
	}
	s := newStore(path, busy)
	if err := s.onWriter(ctx, func(c *conn) error { return upgrade(ctx, c, migrations()) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenPatient is Open for work on the whole ledger (fsck, rebuild, an import of
// entries): no statement and no transaction of it is timed.
func OpenPatient(ctx context.Context, dsn string) (*Store, error) { return Open(ctx, dsn) }

// Migrate brings the schema up to date, as Open does, and nothing else.
func Migrate(ctx context.Context, dsn string) error {
	s, err := OpenPatient(ctx, dsn)
	if err != nil {
		return err
	}
	return s.Close()
}

// Create makes the database "sqlite:PATH" with an empty ledger and opens it. If
// anything of that name exists the error wraps [ErrExists] and nothing is
// touched. The file is readable by its owner alone.
func Create(ctx context.Context, dsn string) (*Store, error) {
	path, err := parsePath(dsn)
	if err != nil {
		return nil, err
	}
	if err := claim(path); err != nil {
		return nil, err
	}
	s := newStore(path, lockTimeout)
	if err := s.onWriter(ctx, func(c *conn) error { return install(ctx, c, migrations()) }); err != nil {
		err = errors.Join(err, s.Close())
		unclaim(path)
		return nil, err
	}
	return s, nil
}

func newStore(path string, busy time.Duration) *Store {
	db, err := sql.Open("sqlite", uri(path))
	if err != nil {
		panic(err) // only for a driver that is not registered
	}
	db.SetMaxIdleConns(-1) // connections are kept by the pools
	connectAs := func(r role) func(context.Context) (*conn, error) {
		return func(ctx context.Context) (*conn, error) { return connect(ctx, db, r, busy) }
	}
	return &Store{
		db:     db,
		writer: newPool(1, connectAs(writing)),
		reader: newPool(readers, connectAs(reading)),
		busy:   busy,
	}
}

// onWriter runs f on the writer's connection, outside a transaction.
func (s *Store) onWriter(ctx context.Context, f func(*conn) error) error {
	c, err := s.writer.take(ctx)
	if err != nil {
		return err
	}
	defer s.writer.give(c)
	return f(c)
}

// Close waits for the transactions in progress and closes the database. What
// is called later fails with [ErrClosed].
func (s *Store) Close() error {
	if err := s.writer.close(); err != nil {
		return err
	}
	return errors.Join(s.reader.close(), s.db.Close())
}

// Write implements exchange.Store.
func (s *Store) Write(ctx context.Context, f func(exchange.Tx) error) error {
	return s.transact(ctx, func(tx *tx) error { return f(tx) })
}

// Update implements ledger.Storage.
func (s *Store) Update(ctx context.Context, f func(ledger.Tx) error) error {
	return s.transact(ctx, func(tx *tx) error { return f(tx) })
}

// Scratch implements exchange.Store. SQLite has one writer, so it waits for the
// serialized section like everybody.
func (s *Store) Scratch(ctx context.Context, f func(exchange.Scratch) error) error {
	return s.transact(ctx, func(tx *tx) error { return f(&tx.scratch) })
}

// Read implements exchange.Store.
func (s *Store) Read(ctx context.Context, f func(exchange.View) error) error {
	return s.snapshot(ctx, func(v *view) error { return f(v) })
}

// View implements ledger.Storage.
func (s *Store) View(ctx context.Context, f func(ledger.Reader) error) error {
	return s.snapshot(ctx, func(v *view) error { return f(v) })
}
