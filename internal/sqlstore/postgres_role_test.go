package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/ledger"
)

// ledgerTables, derivedTables and scratchTables are all there is besides
// schema_version.
var (
	ledgerTables  = strings.Fields("head entry node checkpoint opening erasure covered")
	scratchTables = strings.Fields("req_nonce upload blob_chunk shred shred_period package recipient_key pending overflow")
)

func derivedTables() (names []string) {
	for _, d := range derived {
		names = append(names, d.name)
	}
	return names
}

// rights are the privileges that each role has, by table: as docs and schema say
// them, and not one more.
func rights() map[string]map[string]string {
	api := map[string]string{"schema_version": "SELECT", "head": "SELECT", "entry": "INSERT SELECT", "node": "INSERT SELECT",
		"checkpoint": "INSERT SELECT", "opening": "INSERT SELECT", "erasure": "SELECT", "covered": "SELECT",
		"req_nonce": "DELETE INSERT SELECT", "upload": "INSERT SELECT UPDATE", "blob_chunk": "INSERT SELECT UPDATE",
		"shred": "INSERT SELECT UPDATE", "shred_period": "INSERT SELECT UPDATE", "package": "INSERT SELECT",
		"recipient_key": "INSERT SELECT", "pending": "DELETE INSERT SELECT UPDATE", "overflow": "DELETE INSERT SELECT UPDATE"}
	audit := map[string]string{"schema_version": "SELECT"}
	for _, t := range derivedTables() {
		api[t], audit[t] = "DELETE INSERT SELECT UPDATE", "SELECT"
	}
	for _, t := range ledgerTables {
		audit[t] = "SELECT"
	}
	return map[string]map[string]string{roleAPI: api, roleAudit: audit, roleEraser: {
		"opening": "DELETE SELECT", "upload": "DELETE SELECT", "blob_chunk": "DELETE SELECT", "shred": "DELETE SELECT", "erasure": "INSERT SELECT"}}
}

// TestGrants compares what the catalog says each role may do with what it should.
func TestGrants(t *testing.T) {
	r := newServed(t)
	got := map[string]map[string]string{roleAPI: {}, roleAudit: {}, roleEraser: {}}
	rows, err := r.super.Query(`SELECT grantee, table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)
		FROM information_schema.role_table_grants WHERE table_schema = 'odziv' AND grantee <> 'odziv_owner' GROUP BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	err = scanAll(rows, func() error {
		var role, table, privileges string
		err := rows.Scan(&role, &table, &privileges)
		if got[role] == nil {
			t.Errorf("%s may %s on %s", role, privileges, table)
			return err
		}
		got[role][table] = privileges
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range rights() {
		if fmt.Sprint(got[role]) != fmt.Sprint(want) {
			t.Errorf("%s may\n%v, want\n%v", role, got[role], want)
		}
	}
	columns := r.ask(t, `SELECT table_name || '.' || column_name FROM information_schema.column_privileges
		WHERE table_schema = 'odziv' AND grantee = 'odziv_api' AND privilege_type = 'UPDATE'
		AND table_name IN ('head', 'covered', 'entry', 'node', 'checkpoint', 'opening', 'erasure') ORDER BY 1`)
	if got := strings.Join(columns, " "); got != "covered.count head.at head.root head.size" {
		t.Errorf("the server may update %s", got)
	}
	for what, query := range map[string]string{
		"tables of another owner":                 "SELECT relname FROM pg_class WHERE relnamespace = 'odziv'::regnamespace AND relowner <> 'odziv_owner'::regrole",
		"functions of another":                    "SELECT proname FROM pg_proc WHERE pronamespace = 'odziv'::regnamespace AND proowner <> 'odziv_owner'::regrole",
		"functions with rights":                   "SELECT proname FROM pg_proc WHERE pronamespace = 'odziv'::regnamespace AND prosecdef",
		"roles that log in":                       "SELECT rolname FROM pg_roles WHERE rolname LIKE 'odziv\\_%' AND rolname IN ('odziv_owner','odziv_api','odziv_eraser','odziv_audit') AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)",
		"who may make tables":                     "SELECT r FROM unnest(ARRAY['odziv_api','odziv_eraser','odziv_audit']) r WHERE has_schema_privilege(r, 'odziv', 'CREATE')",
		"text of another order":                   "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'odziv' AND data_type = 'text' AND table_name <> 'schema_version' AND collation_name IS DISTINCT FROM 'C'",
		"columns that may be NULL, or are filled": "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'odziv' AND (is_nullable = 'YES' OR column_default IS NOT NULL AND column_name NOT IN ('kept', 'quorum'))",
	} {
		if list := r.ask(t, query); len(list) != 0 {
			t.Errorf("%s: %v", what, list)
		}
	}
}

// ask returns the first column of what a superuser reads.
func (r *served) ask(t *testing.T, query string, args ...any) (list []string) {
	t.Helper()
	rows, err := r.super.Query(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	err = scanAll(rows, func() error {
		var s sql.NullString
		err := rows.Scan(&s)
		list = append(list, s.String)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// as runs a statement with the rights of a role alone.
func (r *served) as(role, query string) error {
	tx, err := r.super.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.Exec("SET LOCAL search_path = odziv; SET LOCAL ROLE " + role)
	if err == nil {
		_, err = tx.Exec(query)
	}
	return failed("try", err)
}

// filled is a served store with rows in every table of the ledger and of uploads.
func filled(t *testing.T) *served {
	t.Helper()
	ctx := context.Background()
	r := newServed(t)
	next := int64(0)
	if err := writeGroup(ctx, r.Store, newGroup(&next), false); err != nil {
		t.Fatal(err)
	}
	err := r.Write(ctx, func(tx exchange.Tx) error {
		head, err := tx.Head(ctx, ledger.Ev)
		if err != nil {
			return err
		}
		for _, err := range []error{tx.EraseOpening(ctx, 3), tx.PutUpload(ctx, exchange.UploadRow{Msg: "m_a", Hash: []byte{1}}),
			tx.PutChunk(ctx, "m_a", 0, 0, []byte("chunk")), tx.PutShred(ctx, "m_a", "x", []byte{1}), tx.PutMessage(ctx, exchange.MessageRow{Msg: "m_a"}, nil, nil),
			tx.PublishCheckpoint(ctx, ledger.Ev, ledger.Published{Size: head.Size, Root: head.Root, Note: []byte("note"), At: 1})} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRoleGuards tries what no role may, with the rights of each. What rights do
// not refuse, triggers do: nobody gets through by the one hole.
func TestRoleGuards(t *testing.T) {
	r := filled(t)
	for _, table := range append(append(ledgerTables, scratchTables...), "msg", "schema_version") {
		for _, role := range []string{roleAPI, roleEraser, roleAudit} {
			for _, query := range []string{"TRUNCATE " + table, "DROP TABLE " + table, "ALTER TABLE " + table + " DISABLE TRIGGER ALL",
				"ALTER TABLE " + table + " ADD COLUMN x int", "CREATE TRIGGER x BEFORE INSERT ON " + table + " EXECUTE FUNCTION refuse('x')"} {
				wantFailure(t, role+": "+query, r.as(role, query), ErrForbidden)
			}
		}
		if err := r.as(roleAudit, "DELETE FROM "+table); err == nil {
			t.Errorf("the auditor deleted from %s", table)
		}
		if table != "req_nonce" && table != "pending" && table != "overflow" && table != "msg" {
			wantFailure(t, "the server deletes from "+table, r.as(roleAPI, "DELETE FROM "+table), ErrForbidden)
		}
	}
	for _, table := range []string{"opening", "upload", "blob_chunk", "shred"} {
		if err := r.as(roleEraser, "DELETE FROM "+table); err != nil {
			t.Errorf("the eraser may not delete from %s: %v", table, err)
		}
	}
	for _, query := range []string{"DELETE FROM msg", "DELETE FROM entry", "DELETE FROM pending", "UPDATE opening SET meta = meta",
		"INSERT INTO opening SELECT * FROM opening", "INSERT INTO shred VALUES ('m', 'x', '')", "SELECT * FROM pending", "SELECT * FROM msg"} {
		wantFailure(t, "the eraser: "+query, r.as(roleEraser, query), ErrForbidden)
	}
	for _, query := range []string{"SELECT * FROM shred", "SELECT * FROM blob_chunk", "SELECT * FROM pending", "INSERT INTO last VALUES ('m', 1)"} {
		wantFailure(t, "the auditor: "+query, r.as(roleAudit, query), ErrForbidden)
	}
	for query, want := range map[string]string{ // with the owner's rights, as in a migration gone wrong
		"UPDATE entry SET leaf = leaf":                   "entry: append-only",
		"DELETE FROM entry WHERE false":                  "entry: append-only",
		"TRUNCATE entry":                                 "entry: append-only",
		"TRUNCATE node, checkpoint":                      "append-only",
		"UPDATE checkpoint SET cosigs = 9":               "checkpoint: append-only",
		"TRUNCATE erasure":                               "erasure: append-only",
		"UPDATE opening SET meta = meta":                 "opening: append-only",
		"TRUNCATE opening":                               "opening: append-only",
		"DELETE FROM opening":                            "opening: only the eraser may delete",
		"INSERT INTO erasure VALUES (1)":                 "erasure: only the eraser may insert",
		"INSERT INTO opening VALUES (3, '', '', '', '')": "opening: it was erased and may not come back",
		"DELETE FROM head":                               "head: two rows",
		"TRUNCATE head":                                  "head: two rows",
		"INSERT INTO head SELECT 2, size, root, at FROM head WHERE log = 0": "head: two rows",
		"UPDATE head SET size = size + 1 WHERE log = 1":                     "head: it only moves forward",
		"UPDATE covered SET count = count - 1":                              "covered: it only grows, except to the truth",
		"DELETE FROM covered":                                               "covered: one row",
		"DELETE FROM shred":                                                 "shred: only the eraser may delete",
		"DELETE FROM blob_chunk":                                            "blob_chunk: only the eraser may delete",
		"TRUNCATE blob_chunk":                                               "blob_chunk: no row may be deleted but one by one",
		"DELETE FROM upload":                                                "upload: only the eraser may delete",
		"UPDATE upload SET kept = 0":                                        "upload: an accepted message names it",
		"UPDATE blob_chunk SET data = data":                                 "blob_chunk: an accepted message names it",
	} {
		err := r.as(roleOwner, query)
		wantFailure(t, "the owner: "+query, err, ErrRefused)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("the owner: %s: %v, want %q", query, err, want)
		}
	}
}

// TestSearchPath: a server that was taken over cannot mislead a trigger by tables
// of its own.
func TestSearchPath(t *testing.T) {
	r := filled(t)
	err := r.Exec(`SET search_path TO pg_temp; CREATE TEMP TABLE entry (log smallint, idx bigint);
		INSERT INTO entry VALUES (1, 99999); UPDATE odziv.head SET size = 100000 WHERE log = 1`)
	wantFailure(t, "a head beyond the entries", failed("try", err), ErrRefused)
}

// TestLogins: a server needs no more than two roles; making tables needs the
// owner's; and who lacks something is told what.
func TestLogins(t *testing.T) {
	ctx := context.Background()
	c := pgtest.Start(t, pgtest.Options{})
	dsn := c.Database(t)
	database := pgtest.NameOf(dsn)
	socket := func(login string) string { return c.SocketDSN(login, database) }
	c.Exec("postgres", "CREATE ROLE nobody_here LOGIN")
	_, err := Create(ctx, socket("nobody_here"))
	wantFailure(t, "create without rights", err, ErrForbidden)
	_, err = Open(ctx, socket("nobody_here"))
	wantFailure(t, "open where there is nothing", err, ErrNoFile)
	if roles := c.Query(database, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'odziv%'"); len(roles) != 0 {
		t.Errorf("a failed create left %v", roles)
	}

	// An administrator who gives nobody CREATEROLE makes the roles by hand.
	c.Exec("postgres", "CREATE ROLE odziv_owner; CREATE ROLE odziv_api; CREATE ROLE odziv_eraser; CREATE ROLE odziv_audit")
	c.Exec("postgres", "CREATE ROLE installer LOGIN NOINHERIT IN ROLE odziv_owner, odziv_api, odziv_eraser")
	c.Exec("postgres", "CREATE ROLE served LOGIN NOINHERIT IN ROLE odziv_api, odziv_eraser")
	c.Exec("postgres", "CREATE ROLE half LOGIN NOINHERIT IN ROLE odziv_api")
	c.Exec(database, "CREATE SCHEMA odziv AUTHORIZATION odziv_owner")
	s, err := Create(ctx, socket("installer"))
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	_, err = Create(ctx, socket("installer"))
	wantFailure(t, "create again", err, ErrExists)
	_, err = Open(ctx, socket("nobody_here"))
	wantFailure(t, "open without rights", err, ErrForbidden)

	if s, err = Open(ctx, socket("served")); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	if err := writeGroup(ctx, s, newGroup(&next), true); err != nil {
		t.Error(err)
	}
	if err := s.Write(ctx, func(tx exchange.Tx) error { return tx.EraseOpening(ctx, 1) }); err != nil {
		t.Error(err)
	}
	if err := s.Scratch(ctx, func(sc exchange.Scratch) error { return sc.Sweep(ctx, 9, 9) }); err != nil {
		t.Error(err)
	}
	closed(t, s)

	if s, err = Open(ctx, socket("half")); err != nil {
		t.Fatal(err)
	}
	err = s.Write(ctx, func(tx exchange.Tx) error { return tx.EraseOpening(ctx, 2) })
	wantFailure(t, "erase without the eraser's role", err, ErrForbidden)
	put(t, s, "m_a", 1)
	closed(t, s)

	e, err := openDriver(socket("served"), patient)
	if err != nil {
		t.Fatal(err)
	}
	more := append(postgresMigrations(), migration{version: len(postgresMigrations()) + 1, script: "SELECT 1", digest: "d"})
	s = storeOn(e, besides)
	wantFailure(t, "an older schema and no right to change it", e.bringUpToDate(ctx, s, more), ErrOutdated)
	closed(t, s)
	for name, want := range map[string]*Failure{
		strings.Replace(dsn, pgtest.Password, "wrong", 1): ErrLogin,
		strings.Replace(dsn, database, "elsewhere", 1):    ErrNoFile,
		socket("odziv_owner"):                             ErrLogin,
	} {
		_, err := Open(ctx, name)
		wantFailure(t, "open", err, want)
	}
}
