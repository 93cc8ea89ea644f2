package sqlstore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
)

// installed makes a database with the first migrations of a list.
func installed(t *testing.T, all []migration) (dsn string, e *postgresEngine) {
	t.Helper()
	ctx := context.Background()
	dsn = pgtest.Shared(t).Database(t)
	e, err := openDriver(dsn, patient)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.close() })
	if err := e.asLogin(ctx, func(c *conn) error { return e.install(ctx, c, all) }); err != nil {
		t.Fatal(err)
	}
	return dsn, e
}

func TestPostgresMigrations(t *testing.T) {
	ctx := context.Background()
	all := postgresMigrations()
	if len(all) != len(migrations()) {
		t.Fatalf("%d migrations, %d for SQLite: the numbers belong together", len(all), len(migrations()))
	}
	dsn, e := installed(t, all[:3])
	old := storeOn(e, besides)
	put(t, old, "m_a", 1)
	for _, p := range []*pool{old.writer, old.beside, old.reader} {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
	s, err := Open(ctx, dsn) // brings it up to date
	if err != nil {
		t.Fatal(err)
	}
	wantLast(t, s, "m_a", 1)
	if _, err := appendGroup(ctx, s, 3); err != nil {
		t.Error(err)
	}
	closed(t, s)
	again := func(list []migration) error {
		return e.asLogin(ctx, func(c *conn) error { return e.upgrade(ctx, c, list) })
	}
	if err := errors.Join(again(all), Migrate(ctx, dsn)); err != nil {
		t.Errorf("upgrade of what is up to date: %v", err)
	}
	wantFailure(t, "a newer schema", again(all[:2]), ErrSchema)
	edited := append([]migration{}, all...)
	edited[1].digest = strings.Repeat("0", 64)
	wantFailure(t, "a schema of another program", again(edited), ErrSchema)
	broken := migration{version: len(all) + 1, script: "CREATE TABLE half (x int); CREATE TABLE half (x int)", digest: "d"}
	if err := again(append(append([]migration{}, all...), broken)); err == nil {
		t.Error("a migration that fails: accepted")
	}
	c := pgtest.Shared(t)
	if left := c.Query(pgtest.NameOf(dsn), "SELECT to_regclass('odziv.half') IS NOT NULL"); left[0] != "false" {
		t.Error("half of a migration stayed")
	}
	c.Exec(pgtest.NameOf(dsn), "INSERT INTO odziv.schema_version VALUES ($1, 'd')", len(all)+1)
	_, err = Open(ctx, dsn)
	wantFailure(t, "open a newer schema", err, ErrSchema)
	c.Exec(pgtest.NameOf(dsn), "DELETE FROM odziv.schema_version WHERE version > 1; UPDATE odziv.schema_version SET digest = 'x'")
	_, err = Open(ctx, dsn)
	wantFailure(t, "open a schema of another program", err, ErrSchema)
	c.Exec(pgtest.NameOf(dsn), "DELETE FROM odziv.schema_version")
	_, err = Open(ctx, dsn)
	wantFailure(t, "open a schema that is none", err, ErrSchema)
}

// TestStartedTogether: of many programs that start at once on an old schema one
// migrates; and of many that create, one creates.
func TestStartedTogether(t *testing.T) {
	ctx := context.Background()
	all := postgresMigrations()
	dsn, _ := installed(t, all[:1])
	together(t, 6, func() error {
		s, err := Open(ctx, dsn)
		if err != nil {
			return err
		}
		return s.Close()
	})
	if got := pgtest.Shared(t).Query(pgtest.NameOf(dsn), "SELECT version FROM odziv.schema_version ORDER BY 1"); len(got) != len(all) {
		t.Errorf("versions %v", got)
	}

	empty := pgtest.Shared(t).Database(t)
	var mu sync.Mutex
	created := 0
	together(t, 4, func() error {
		s, err := Create(ctx, empty)
		if errors.Is(err, ErrExists) {
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		created++
		return s.Close()
	})
	if created != 1 {
		t.Errorf("%d created one ledger", created)
	}
}

func together(t *testing.T, n int, f func() error) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestSameSchema: both engines have the same tables and columns, so that what one
// statement says is true of both.
func TestSameSchema(t *testing.T) {
	columns := func(list []string) map[string]bool {
		set := map[string]bool{}
		for _, c := range list {
			set[c] = true
		}
		return set
	}
	file, server := newRaw(t), newServed(t)
	a := columns(file.query(t, "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name <> 'eraser'"))
	b := columns(server.ask(t, "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'odziv'"))
	indexes := func(list []string) {
		for _, i := range list {
			a["index "+i] = true
		}
	}
	indexes(file.query(t, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"))
	for _, i := range server.ask(t, "SELECT indexname FROM pg_indexes WHERE schemaname = 'odziv' AND indexname NOT LIKE '%\\_pkey'") {
		b["index "+i] = true
	}
	for c := range a {
		if !b[c] {
			t.Errorf("%s is SQLite's alone", c)
		}
	}
	for c := range b {
		if !a[c] {
			t.Errorf("%s is PostgreSQL's alone", c)
		}
	}
	if len(a) < 150 {
		t.Errorf("only %d columns", len(a))
	}
}

// TestSchemaText: the text for an administrator makes what init makes.
func TestSchemaText(t *testing.T) {
	ctx := context.Background()
	c := pgtest.Start(t, pgtest.Options{})
	dsn := c.Database(t)
	c.Exec(pgtest.NameOf(dsn), SchemaText())
	s, err := Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "m_a", 1)
	closed(t, s)
}

// TestUnfit: databases that cannot hold a ledger are refused and left alone.
func TestUnfit(t *testing.T) {
	ctx := context.Background()
	c := pgtest.Shared(t)
	c.Exec("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { c.Exec("postgres", "DROP DATABASE latin") })
	_, err := Create(ctx, c.DSN("latin"))
	wantFailure(t, "create in LATIN1", err, ErrSchema)
	dsn := c.Database(t)
	c.Exec(pgtest.NameOf(dsn), "CREATE SCHEMA odziv; CREATE TABLE odziv.t (x int)")
	_, err = Create(ctx, dsn)
	wantFailure(t, "create over another's tables", err, ErrExists)
	_, err = Open(ctx, dsn)
	wantFailure(t, "open another's tables", err, ErrNoFile)
}

// TestDurable: a server that does not wait for its disk is named.
func TestDurable(t *testing.T) {
	ctx := context.Background()
	wantFailure(t, "fsync off", newServed(t).Durable(ctx), ErrNotDurable)
	c := pgtest.Start(t, pgtest.Options{})
	if err := servedOn(t, c.Database(t)).Durable(ctx); err != nil {
		t.Errorf("fsync on: %v", err)
	}
	if err := newRaw(t).Durable(ctx); err != nil {
		t.Errorf("SQLite: %v", err)
	}
}

// TestLogged: what a server's own log would keep of rows is named with what mends
// it, and nothing is when it is mended.
func TestLogged(t *testing.T) {
	ctx := context.Background()
	r := servedOn(t, pgtest.Shared(t).Database(t)) // its settings stay with it
	list, err := r.Logged(ctx)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	database, err := r.Database(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		found[s.Name] = true
		if _, err := r.super.Exec(s.Mend(database)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"log_error_verbosity", "log_min_error_statement", "log_parameter_max_length"} { // as PostgreSQL comes
		if !found[name] {
			t.Errorf("%s is not named: %v", name, list)
		}
	}
	if list, err := r.Logged(ctx); err != nil || len(list) != 0 {
		t.Errorf("mended: %v, %v", list, err)
	}
	if list, err := newRaw(t).Logged(ctx); err != nil || len(list) != 0 {
		t.Errorf("a file keeps no log: %v, %v", list, err)
	}
}
