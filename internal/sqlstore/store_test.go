package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/exchange/storetest"
	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// raw is a Store with a second door: SQL with the server's rights, and changes
// behind every guard. It is the suite's Tamperer and Forger.
type raw struct {
	*Store
	path string
}

func newRaw(t testing.TB) *raw {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Create(context.Background(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &raw{s, path}
}

func TestSuite(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) exchange.Store { return newRaw(t) })
	})
	t.Run("postgres", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) exchange.Store { return newServed(t) })
	})
}

// Exec runs one statement on the writer's connection.
func (r *raw) Exec(query string) error {
	ctx := context.Background()
	return r.onWriter(ctx, func(c *conn) error {
		_, err := c.raw.ExecContext(ctx, query)
		return err
	})
}

// forge runs a statement with the triggers on changes of a table out of the way.
func (r *raw) forge(table, query string, args ...any) error {
	ctx := context.Background()
	return r.onWriter(ctx, func(c *conn) error {
		guards, err := triggers(ctx, c, table)
		if err != nil {
			return err
		}
		return c.inTransaction(ctx, func() error {
			for name := range guards {
				if _, err := c.raw.ExecContext(ctx, "DROP TRIGGER "+name); err != nil {
					return err
				}
			}
			res, err := c.raw.ExecContext(ctx, query, args...)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				return fmt.Errorf("forged %d rows of %s, %v", n, table, err)
			}
			for _, create := range guards {
				if _, err := c.raw.ExecContext(ctx, create); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func triggers(ctx context.Context, c *conn, table string) (map[string]string, error) {
	rows, err := c.raw.QueryContext(ctx, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = $1", table)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	return found, scanAll(rows, func() error {
		var name, create string
		err := rows.Scan(&name, &create)
		found[name] = create
		return err
	})
}

func (r *raw) ForgeEntry(log ledger.Log, idx int64, leaf []byte) error {
	return r.forge("entry", "UPDATE entry SET leaf = $1 WHERE log = $2 AND idx = $3", leaf, int64(log), idx)
}

func (r *raw) ForgeNode(log ledger.Log, pos int64, hash tlog.Hash) error {
	return r.forge("node", "UPDATE node SET hash = $1 WHERE log = $2 AND pos = $3", hash[:], int64(log), pos)
}

func (r *raw) ForgeHead(log ledger.Log, h ledger.Head) error {
	return r.forge("head", "UPDATE head SET size = $1, root = $2, at = $3 WHERE log = $4", h.Size, h.Root[:], h.At, int64(log))
}

func (r *raw) ForgeCheckpoint(log ledger.Log, p ledger.Published) error {
	return r.forge("checkpoint", "UPDATE checkpoint SET root = $1, note = $2, cosigs = $3, at = $4 WHERE log = $5 AND size = $6 AND seq = $7",
		p.Root[:], blob(p.Note), p.Cosigs, p.At, int64(log), p.Size, p.Seq)
}

// query returns the rows of one text column.
func (r *raw) query(t *testing.T, query string, args ...any) (list []string) {
	t.Helper()
	ctx := context.Background()
	err := r.onWriter(ctx, func(c *conn) error {
		rows, err := c.raw.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var s sql.NullString
			err := rows.Scan(&s)
			list = append(list, s.String)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDerivedTables holds the list of derived tables against the schema: every
// table of the second migration is dumped and dropped, with all its columns and
// its primary key first.
func TestDerivedTables(t *testing.T) {
	r := newRaw(t)
	script, err := schemas.ReadFile("schema/sqlite/0002_derived.sql")
	if err != nil {
		t.Fatal(err)
	}
	declared := strings.Count(string(script), "CREATE TABLE")
	if declared != len(derived) || declared == 0 {
		t.Fatalf("the schema has %d derived tables, the dump %d", declared, len(derived))
	}
	last := ""
	for _, d := range derived {
		if d.name <= last {
			t.Errorf("%s is not in order after %s", d.name, last)
		}
		last = d.name
		if !strings.Contains(string(script), "CREATE TABLE "+d.name+" (") {
			t.Errorf("%s is not a table of the derived schema", d.name)
		}
		checkColumns(t, r, &d)
	}
}

func checkColumns(t *testing.T, r *raw, d *table) {
	t.Helper()
	want := map[string]bool{}
	for _, c := range d.columns {
		want[c.name] = true
	}
	for _, name := range r.query(t, "SELECT name FROM pragma_table_info($1)", d.name) {
		if !want[name] {
			t.Errorf("%s.%s is not dumped", d.name, name)
		}
		delete(want, name)
	}
	if len(want) != 0 {
		t.Errorf("%s dumps columns it has not: %v", d.name, want)
	}
	key := r.query(t, "SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk", d.name)
	for i, name := range key {
		if len(key) != d.key || d.columns[i].name != name {
			t.Errorf("%s: primary key %v, the dump orders by its first %d columns", d.name, key, d.key)
			break
		}
	}
}

// Second implements storetest.Doubler.
func (r *raw) Second(t testing.TB) exchange.Store { return second(t, "sqlite:"+r.path) }

// Second implements storetest.Doubler.
func (r *served) Second(t testing.TB) exchange.Store { return second(t, r.dsn) }

func second(t testing.TB, dsn string) exchange.Store {
	t.Helper()
	s, err := Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s) })
	return s
}
