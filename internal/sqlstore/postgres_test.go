package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// served is a Store in a database of its own on PostgreSQL, with a second door
// like raw's: Exec has the rights of the server, forge those of a superuser.
type served struct {
	*Store
	dsn      string
	super    *sql.DB
	recycled bool
}

// newServed takes a database that another test has done with, emptied, or makes
// one: that is what most of the time would go to.
func newServed(t testing.TB) *served {
	t.Helper()
	spare.Lock()
	defer spare.Unlock()
	var r *served
	if last := len(spare.dsns) - 1; last >= 0 {
		r = openServed(t, spare.dsns[last], Open)
		spare.dsns = spare.dsns[:last]
	} else {
		c := pgtest.Shared(t)
		spare.made++
		name := fmt.Sprint("spare_", spare.made)
		c.Exec("postgres", "CREATE DATABASE "+name)
		r = openServed(t, c.DSN(name), Create)
	}
	r.recycled = true
	return r
}

// spare are databases on the shared cluster with a ledger that is empty.
var spare struct {
	sync.Mutex
	dsns []string
	made int
}

// recycle empties the database for the next test. One that holds much is left to
// the end of the cluster.
func (r *served) recycle(t testing.TB) {
	var entries int
	if err := r.super.QueryRow("SELECT count(*) FROM odziv.entry").Scan(&entries); err != nil || entries > 5000 {
		return
	}
	text := "BEGIN; SET LOCAL search_path = odziv; SET LOCAL session_replication_role = replica; "
	for _, table := range append(append(derivedTables(), scratchTables...), ledgerTables...) {
		text += "DELETE FROM " + table + "; "
	}
	root := ledger.EmptyRoot()
	text += fmt.Sprintf(`INSERT INTO covered VALUES (1, 0); INSERT INTO head VALUES (0, 0, '\x%x', 0), (1, 0, '\x%[1]x', 0); COMMIT`, root[:])
	if _, err := r.super.Exec(text); err != nil {
		t.Errorf("empty the database: %v", err)
		return
	}
	spare.Lock()
	defer spare.Unlock()
	spare.dsns = append(spare.dsns, r.dsn)
}

func servedOn(t testing.TB, dsn string) *served {
	t.Helper()
	return openServed(t, dsn, Create)
}

func openServed(t testing.TB, dsn string, open func(context.Context, string) (*Store, error)) *served {
	t.Helper()
	s, err := open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	super, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	r := &served{Store: s, dsn: dsn, super: super}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if r.recycled && !t.Failed() {
			r.recycle(t)
		}
		super.Close()
	})
	return r
}

// Exec runs one statement on a connection of the server's.
func (r *served) Exec(query string) error {
	ctx := context.Background()
	return r.onWriter(ctx, func(c *conn) error {
		_, err := c.raw.ExecContext(ctx, query)
		return err
	})
}

// forge runs a statement behind every trigger.
func (r *served) forge(query string, args ...any) error {
	ctx := context.Background()
	tx, err := r.super.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("SET LOCAL search_path = odziv; SET LOCAL session_replication_role = replica"); err != nil {
		return err
	}
	res, err := tx.Exec(query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("forged %d rows, %v", n, err)
	}
	return tx.Commit()
}

func (r *served) ForgeEntry(log ledger.Log, idx int64, leaf []byte) error {
	return r.forge("UPDATE entry SET leaf = $1 WHERE log = $2 AND idx = $3", leaf, int64(log), idx)
}

func (r *served) ForgeNode(log ledger.Log, pos int64, hash tlog.Hash) error {
	return r.forge("UPDATE node SET hash = $1 WHERE log = $2 AND pos = $3", hash[:], int64(log), pos)
}

func (r *served) ForgeHead(log ledger.Log, h ledger.Head) error {
	return r.forge("UPDATE head SET size = $1, root = $2, at = $3 WHERE log = $4", h.Size, h.Root[:], h.At, int64(log))
}

func (r *served) ForgeCheckpoint(log ledger.Log, p ledger.Published) error {
	return r.forge("UPDATE checkpoint SET root = $1, note = $2, cosigs = $3, at = $4 WHERE log = $5 AND size = $6 AND seq = $7",
		p.Root[:], blob(p.Note), p.Cosigs, p.At, int64(log), p.Size, p.Seq)
}
