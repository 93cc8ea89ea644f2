package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// served is a Store in a database of its own on PostgreSQL, with a second door
// like raw's: Exec has the rights of the server, forge those of a superuser.
type served struct {
	*Store
	dsn   string
	super *sql.DB
}

func newServed(t testing.TB) *served {
	t.Helper()
	return servedOn(t, pgtest.Shared(t).Database(t))
}

func servedOn(t testing.TB, dsn string) *served {
	t.Helper()
	s, err := Create(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	super, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		super.Close()
	})
	return &served{s, dsn, super}
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
