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

// A Store is an exchange.Store in an SQL database. Within a process its writers
// queue in the order they came; between processes the engine decides, PostgreSQL
// in the order they came, SQLite by chance. Safe for concurrent use. A function
// passed to one of its methods must not call another of them: it could wait for
// itself.
type Store struct {
	engine engine
	writer *pool // one connection: the section has one writer
	beside *pool // for Scratch: SQLite's writer, or more on PostgreSQL
	reader *pool
}

var _ exchange.Store = (*Store)(nil)

// Open opens a database that exists, "sqlite:PATH" or
// "postgres://LOGIN@HOST/DATABASE" with parameters of lib/pq, and brings an older schema up to date. It refuses a newer
// one, and a database that is something else.
func Open(ctx context.Context, dsn string) (*Store, error) {
	if isPostgres(dsn) {
		return openPostgres(ctx, dsn, serving)
	}
	return open(ctx, dsn, lockTimeout)
}

// OpenPatient is Open for work on the whole ledger (fsck, rebuild, an import of
// entries): no statement and no transaction of it is timed.
func OpenPatient(ctx context.Context, dsn string) (*Store, error) {
	if isPostgres(dsn) {
		return openPostgres(ctx, dsn, patient)
	}
	return Open(ctx, dsn)
}

// Migrate brings the schema up to date, as Open does, and nothing else.
func Migrate(ctx context.Context, dsn string) error {
	if isPostgres(dsn) {
		return migratePostgres(ctx, dsn)
	}
	s, err := Open(ctx, dsn)
	if err != nil {
		return err
	}
	return s.Close()
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

// Create makes an empty ledger and opens it, once: the file "sqlite:PATH",
// readable by its owner alone, or the roles and tables in the database
// "postgres://…", which exists and belongs to a login that may make them. If
// there is something already the error wraps [ErrExists] and nothing is touched.
func Create(ctx context.Context, dsn string) (*Store, error) {
	if isPostgres(dsn) {
		return createPostgres(ctx, dsn)
	}
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
	return storeOn(&sqliteEngine{db: db, busy: busy}, 0)
}

// storeOn makes the pools. With no connections beside it, Scratch waits for the
// writer's.
func storeOn(e engine, beside int) *Store {
	connectAs := func(r role) func(context.Context) (*conn, error) {
		return func(ctx context.Context) (*conn, error) { return e.connect(ctx, r) }
	}
	s := &Store{engine: e, writer: newPool(1, connectAs(writing)), reader: newPool(readers, connectAs(reading))}
	s.beside = s.writer
	if beside > 0 {
		s.beside = newPool(beside, connectAs(writing))
	}
	return s
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
	if s.beside != s.writer {
		_ = s.beside.close() // once, since the writer's was
	}
	return errors.Join(s.reader.close(), s.engine.close())
}

// Write implements exchange.Store.
func (s *Store) Write(ctx context.Context, f func(exchange.Tx) error) error {
	return s.transact(ctx, s.writer, section, func(tx *tx) error { return f(tx) })
}

// Update implements ledger.Storage.
func (s *Store) Update(ctx context.Context, f func(ledger.Tx) error) error {
	return s.transact(ctx, s.writer, section, func(tx *tx) error { return f(tx) })
}

// Scratch implements exchange.Store. SQLite has one writer, so there it waits
// for the serialized section like everybody. On PostgreSQL what it reads of a
// message's uploads and key it locks, so that of two that begin at once the
// second sees what the first did.
func (s *Store) Scratch(ctx context.Context, f func(exchange.Scratch) error) error {
	return s.transact(ctx, s.beside, outside, func(tx *tx) error { return f(&tx.scratch) })
}

// Read implements exchange.Store.
func (s *Store) Read(ctx context.Context, f func(exchange.View) error) error {
	return s.snapshot(ctx, func(v *view) error { return f(v) })
}

// View implements ledger.Storage.
func (s *Store) View(ctx context.Context, f func(ledger.Reader) error) error {
	return s.snapshot(ctx, func(v *view) error { return f(v) })
}
