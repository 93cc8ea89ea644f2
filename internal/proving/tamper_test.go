package proving

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/sqlstore"
)

// column is something in the database that somebody might change.
type column struct {
	table, name string
	where       string // which rows count
	says        string // what fsck's finding must hold; %d is the row's index
}

// columns are all that the ledger commits to, directly or by derivation. Left
// out are times that nothing commits to: head.at of the directory, checkpoint.at.
var columns = []column{
	{"entry", "leaf", "log = 0", "dir"},
	{"entry", "leaf", "log = 1", "entry %d"},
	{"node", "hash", "", "node"},
	{"head", "root", "", "head"},
	{"head", "size", "", ""},
	{"head", "at", "log = 1", "head"},
	{"checkpoint", "note", "", "checkpoint"},
	{"checkpoint", "root", "", "checkpoint"},
	{"opening", "meta", "", "ev entry %d"},
	{"opening", "priv", "", "ev entry %d"},
	{"opening", "r_m", "", "ev entry %d"},
	{"opening", "r_p", "", "ev entry %d"},
	{"msg", "case_", "", "table msg"},
	{"msg", "kind", "", "table msg"},
	{"msg", "desk", "", "table msg"},
	{"msg_to", "handed", "", "table msg_to"},
	{"obligation", "due", "", "table obligation"},
	{"obligation", "body", "", "table obligation"},
	{"feed", "idx", "", "table feed"},
	{"statement", "digest", "", "table statement"},
	{"party", "inst", "", "table party"},
	{"last", "idx", "", "table last"},
}

// TestTamper changes one value at a time in a copy of the database, triggers
// out of force, as somebody with the file or the administrator of the server
// could, and wants fsck to name the place.
func TestTamper(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		f := storied(t, e)
		f.must(f.World.Close())
		n := rounds(3)
		if e.name == "postgres" {
			n = rounds(1) // each has a copy of the database, which takes its time there
		}
		for _, c := range columns {
			t.Run(c.table+"."+c.name+c.where, func(t *testing.T) {
				for range n {
					tamperOnce(t, f, e, c)
				}
			})
		}
	})
}

// storied is a world in which something happened.
func storied(t *testing.T, e engine) *field {
	f := openField(t, e.place(t))
	swc, legal := f.office("swc-kraljevo", "legal")
	ppo, registry := f.office("hppo-kraljevo", "registry")
	for range 3 {
		sent, err := swc.Send(t.Context(), f.complaint(legal, registry))
		f.must(err)
		_, err = ppo.Read(t.Context(), registry, sent.Msg)
		f.must(err)
	}
	f.must(f.Clock.Forward(start + 20*24*3600*1000))
	_, err := f.Bookkeep(t.Context())
	f.must(err)
	return f
}

func tamperOnce(t *testing.T, f *field, e engine, c column) {
	t.Helper()
	db, dsn := e.loose(t, f.Home.DSN())
	defer db.Close()
	idx := change(t, e, db, c)
	found, err := inspect(t, f, dsn)
	if err != nil {
		found = append(found, exchange.Finding{Where: "fsck", What: err.Error()})
	}
	if len(found) == 0 {
		t.Fatalf("a changed %s.%s (row %d) was not noticed", c.table, c.name, idx)
	}
	want := c.says
	if strings.Contains(want, "%d") {
		want = fmt.Sprintf(want, idx)
	}
	for _, x := range found {
		if strings.Contains(x.String(), want) {
			return
		}
	}
	t.Errorf("changed %s.%s row %d; no finding says %q, but:\n%v", c.table, c.name, idx, want, found)
}

// loose is a copy of a database on one connection for which no trigger counts.
func (e engine) loose(t *testing.T, of string) (db *sql.DB, dsn string) {
	t.Helper()
	driver, name := "postgres", ""
	if e.name == "sqlite" {
		name = filepath.Join(memoryDir(t), "ledger.db")
		driver, dsn = "sqlite", "sqlite:"+name
		copyFile(t, strings.TrimPrefix(of, "sqlite:"), name)
	} else {
		dsn = pgtest.Shared(t).Copy(t, pgtest.NameOf(of))
		name = dsn + "&search_path=odziv&session_replication_role=replica"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if e.name == "sqlite" {
		dropTriggers(t, db)
		if _, err := db.Exec("PRAGMA ignore_check_constraints = 1"); err != nil {
			t.Fatal(err)
		}
	}
	return db, dsn
}

// change flips one bit of a random row, or adds one to a number, and returns
// the row's place in its order.
func change(t *testing.T, e engine, db *sql.DB, c column) int {
	where := ""
	if c.where != "" {
		where = " WHERE " + c.where
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM " + c.table + where).Scan(&n); err != nil || n == 0 {
		t.Fatalf("no rows of %s to change (%v)", c.table, err)
	}
	row := rand.IntN(n)
	key := e.primaryKey(t, db, c.table)
	var old any
	args := make([]any, len(key)+1)
	args[0] = &old
	values := make([]any, len(key))
	for i := range key {
		args[i+1] = &values[i]
	}
	query := fmt.Sprintf("SELECT %s, %s FROM %s%s ORDER BY %s LIMIT 1 OFFSET %d", c.name, strings.Join(key, ", "), c.table, where, strings.Join(key, ", "), row)
	if err := db.QueryRow(query).Scan(args...); err != nil {
		t.Fatal(err)
	}
	set := fmt.Sprintf("UPDATE %s SET %s = $1 WHERE ", c.table, c.name)
	for i, name := range key {
		set += fmt.Sprintf("%s = $%d AND ", name, i+2)
	}
	set = strings.TrimSuffix(set, " AND ")
	res, err := db.Exec(set, append([]any{altered(old)}, values...)...)
	if err != nil {
		t.Fatal(err)
	}
	if k, _ := res.RowsAffected(); k != 1 {
		t.Fatalf("%d rows changed", k)
	}
	return row
}

// altered is another value of the same type.
func altered(old any) any {
	switch v := old.(type) {
	case int64:
		return v + 1
	case string:
		b := []byte(v)
		if len(b) == 0 {
			return "x"
		}
		b[rand.IntN(len(b))] ^= 1
		return string(b)
	case []byte:
		b := append([]byte{}, v...)
		b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
		return b
	}
	return "changed"
}

// primaryKey lists the columns of a table's key.
func (e engine) primaryKey(t *testing.T, db *sql.DB, table string) []string {
	query := "SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk"
	if e.name == "postgres" {
		query = `SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k (num, n), pg_attribute a
			WHERE i.indrelid = $1::regclass AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.num ORDER BY k.n`
	}
	rows, err := db.Query(query, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var key []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		key = append(key, name)
	}
	return key
}

func dropTriggers(t *testing.T, db *sql.DB) {
	rows, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	rows.Close()
	for _, name := range names {
		if _, err := db.Exec("DROP TRIGGER " + name); err != nil {
			t.Fatal(err)
		}
	}
	if len(names) == 0 {
		t.Fatal("the database had no triggers")
	}
}

// inspect runs fsck on a database.
func inspect(t *testing.T, f *field, dsn string) ([]exchange.Finding, error) {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	scratch, err := sqlstore.Create(ctx, "sqlite:"+filepath.Join(memoryDir(t), "scratch.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Close()
	return exchange.Check(ctx, store, scratch, f.Packs, nil)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
