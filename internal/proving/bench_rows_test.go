package proving

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/sqlstore"
)

// diskFolder is an empty folder on the disk of the package, not in memory, for
// whoever must wait for it.
func diskFolder(b *testing.B) string {
	dir, err := os.MkdirTemp("/var/tmp", "odziv-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// served connects as many clients to a database.
func served(b *testing.B, dsn string) *sql.DB {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)
	return db
}

// bareServed inserts n rows of 4 KiB, each in a durable transaction of its own,
// by all clients at once.
func bareServed(b *testing.B, dsn string, n int) time.Duration {
	db := served(b, dsn)
	if _, err := db.Exec("CREATE TABLE t (id bigint PRIMARY KEY, v bytea)"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare("INSERT INTO t VALUES ($1, $2)")
	if err != nil {
		b.Fatal(err)
	}
	value := bytes.Repeat([]byte{7}, 4096)
	return atOnce(b, n, func(i int) error {
		_, err := insert.Exec(i, value)
		return err
	})
}

// The rows of a submit as a program written by hand inserts them into our own
// tables: several rows of a table with one statement, all statements prepared,
// nothing read, no rule, no order, no tree but its rows. The benchmark shows how
// many rows of each table both leave.
var handRows = []string{
	"INSERT INTO req_nonce VALUES ($1, $2, $3)",
	"INSERT INTO opening VALUES ($1, $2, $3, $4, $3)",
	"INSERT INTO last VALUES ($1, $2)",
	"INSERT INTO statement VALUES ($1, $2, $3, 0)",
	"INSERT INTO msg VALUES ($1, $2, 1, $3, 'complaint', 'd_a', 'i_a', 'legal-obligation', 0, 0, '', '', 'rs-a@1', '[\"p_a\"]')",
	"INSERT INTO msg_to VALUES ($1, 'd_a', 0, 'to', 0, 0, 0, 0, 0, ''), ($1, 'd_b', 1, 'self', 0, 0, 0, 0, 0, '')",
	"INSERT INTO feed VALUES ('d_a', $1, $1, -1), ('d_b', $1, $1, -1)",
	"INSERT INTO party VALUES ($1, 'd_a', 'i_a'), ($1, 'd_b', 'i_b')",
	obligationsByHand(3),
	"INSERT INTO scope VALUES ($1, $2, 'disclosures')",
	"INSERT INTO entry VALUES (1, $1, $2)",
	"INSERT INTO node SELECT 1, $1::bigint + n, $2::bytea FROM generate_series(0, $3::integer - 1) AS n",
}

// rowsOf counts the rows of each table of a ledger.
func rowsOf(b *testing.B, dsn string) map[string]int {
	db := served(b, dsn)
	counts := map[string]int{}
	for _, query := range handRows {
		table := strings.Fields(query)[2]
		var n int
		if err := db.QueryRow("SELECT count(*) FROM odziv." + table).Scan(&n); err != nil {
			b.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

func obligationsByHand(n int) string {
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf("($%d, 'registration', 'd_a', 'd_b', 'd_b', $1, $2, $3, 'complaint', 0, $3, 1, $4)", 5+i))
	}
	return "INSERT INTO obligation VALUES " + strings.Join(rows, ", ")
}

// handWritten writes the rows of n submits, each in a durable transaction of its
// own, by all clients at once.
func handWritten(b *testing.B, dsn string, n int) time.Duration {
	store, err := sqlstore.Create(context.Background(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	db := served(b, dsn)
	var prepared []*sql.Stmt
	for _, query := range handRows {
		stmt, err := db.Prepare(strings.Replace(query, "INSERT INTO ", "INSERT INTO odziv.", 1))
		if err != nil {
			b.Fatal(query, err)
		}
		prepared = append(prepared, stmt)
	}
	return atOnce(b, n, func(i int) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := rowsByHand(tx, prepared, int64(i)); err != nil {
			return err
		}
		return tx.Commit()
	})
}

func rowsByHand(tx *sql.Tx, prepared []*sql.Stmt, idx int64) error {
	name := func(prefix string) string {
		var r [16]byte
		rand.Read(r[:])
		return prefix + hex.EncodeToString(r[:13])
	}
	msg, cas, digest, key := name("m_"), name("c_"), name("")+name(""), make([]byte, 32)
	first := tlog.StoredHashCount(idx)
	args := [][]any{
		{"ed25519:" + digest, msg, idx},
		{idx, bytes.Repeat([]byte("m"), 420), key, bytes.Repeat([]byte("p"), 4500)},
		{msg, idx},
		{msg, digest, idx},
		{msg, idx, cas},
		{msg},
		{idx + 1},
		{cas},
		{cas, msg, idx, strings.Repeat("o", 480), name("o_"), name("o_"), name("o_")},
		{cas, idx},
		{idx, bytes.Repeat([]byte("l"), 109)},
		{first, key, tlog.StoredHashCount(idx+1) - first},
	}
	for i, stmt := range prepared {
		if _, err := tx.Stmt(stmt).Exec(args[i]...); err != nil {
			return fmt.Errorf("%s: %w", handRows[i], err)
		}
	}
	return nil
}
