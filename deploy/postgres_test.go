package deploy

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// settings are those of a file of deploy/postgres, but the certificate's.
func settings(t *testing.T, file string) map[string]string {
	t.Helper()
	set := map[string]string{}
	for line := range strings.Lines(read(t, filepath.Join("postgres", file))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if ok && !strings.HasPrefix(name, "#") && !strings.HasPrefix(name, "ssl") && name != "primary_conninfo" && name != "synchronous_standby_names" {
			set[name] = strings.Trim(value, "'")
		}
	}
	if len(set) == 0 {
		t.Fatalf("%s sets nothing", file)
	}
	return set
}

// psql runs a script as the superuser of a cluster.
func psql(t *testing.T, c *pgtest.Cluster, file string) (string, error) {
	t.Helper()
	host, port, _ := strings.Cut(c.Address(), ":")
	return try([]string{"PGPASSWORD=" + pgtest.Password}, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "postgres", "-d", "postgres", "-f", file)
}

// as is the name of the database for one of the logins.
func as(c *pgtest.Cluster, login string) string {
	return "postgres://" + login + ":" + pgtest.Password + "@" + c.Address() + "/odziv?sslmode=disable"
}

// The roles of roles.sql are all an exchange needs: it is begun by one login and
// served by another, and neither may do what the other is for. A second run changes
// nothing; a role that became more is refused.
func TestPostgresRoles(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{Settings: settings(t, "odziv.conf")})
	for range 2 {
		if out, err := psql(t, c, "postgres/roles.sql"); err != nil || strings.Contains(out, "ERROR") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, login := range []string{"odzivd", "odziv_install", "odziv_look"} {
		c.Exec("postgres", "ALTER ROLE "+login+" PASSWORD '"+pgtest.Password+"'")
	}
	dir, odzivd := filepath.Join(t.TempDir(), "server"), filepath.Join(tools(t), "odzivd")
	out, err := exec.Command(odzivd, "init", "--dir", dir, "--host", "exchange.example.rs", "--db", as(c, "odzivd"), "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	genesis := filepath.Join(t.TempDir(), "genesis.json")
	council(t, string(out), genesis)
	if out, err := try(nil, odzivd, "init", "--dir", dir, "--genesis", genesis); err == nil {
		t.Errorf("the server's login makes tables:\n%s", out)
	}
	run(t, nil, odzivd, "init", "--dir", dir, "--genesis", genesis, "--db", as(c, "odziv_install"))
	server := start(t, nil, odzivd, "serve", "--dir", dir, "--listen", "127.0.0.1:0")
	server.says(t, "odzivd: serving")
	run(t, nil, odzivd, "fsck", "--dir", dir)

	psqlAs := func(login, role, query string) (string, error) {
		return try(nil, "psql", "-X", "-q", "-t", "-v", "ON_ERROR_STOP=1", as(c, login), "-c", "SET ROLE "+role, "-c", query)
	}
	for _, may := range []struct{ login, role, query string }{
		{"odzivd", "odziv_api", "SELECT count(*) FROM odziv.entry"},
		{"odzivd", "odziv_eraser", "DELETE FROM odziv.opening WHERE false"},
		{"odziv_look", "odziv_audit", "SELECT count(*) FROM odziv.entry"},
	} {
		if out, err := psqlAs(may.login, may.role, may.query); err != nil {
			t.Errorf("%v: %v %s", may, err, out)
		}
	}
	for _, not := range []struct{ login, role, query string }{
		{"odzivd", "odziv_owner", "SELECT 1"},
		{"odzivd", "odziv_audit", "SELECT 1"},
		{"odzivd", "NONE", "SELECT count(*) FROM odziv.entry"},
		{"odzivd", "odziv_api", "DELETE FROM odziv.entry"},
		{"odzivd", "odziv_api", "DELETE FROM odziv.opening"},
		{"odzivd", "odziv_api", "UPDATE odziv.entry SET leaf = leaf"},
		{"odzivd", "odziv_api", "TRUNCATE odziv.entry"},
		{"odzivd", "odziv_api", "DROP TABLE odziv.entry"},
		{"odzivd", "odziv_api", "CREATE TABLE public.mine (a int)"},
		{"odzivd", "odziv_eraser", "DELETE FROM odziv.entry"},
		{"odziv_look", "odziv_audit", "INSERT INTO odziv.head VALUES (9, 0, '', 0)"},
		{"odziv_look", "odziv_audit", "SELECT * FROM odziv.shred"},
		{"odziv_look", "odziv_api", "SELECT 1"},
	} {
		if out, err := psqlAs(not.login, not.role, not.query); err == nil {
			t.Errorf("%v is permitted: %s", not, out)
		}
	}
	c.Exec("postgres", "CREATE ROLE stranger LOGIN PASSWORD '"+pgtest.Password+"'")
	if out, err := try(nil, "psql", "-X", as(c, "stranger"), "-c", "SELECT 1"); err == nil {
		t.Errorf("everybody connects: %s", out)
	}
	c.Exec("postgres", "ALTER ROLE odzivd CREATEROLE")
	if out, err := psql(t, c, "postgres/roles.sql"); err == nil || !strings.Contains(out, "may more than it must") {
		t.Errorf("a role that became more is taken: %v %s", err, out)
	}
}

// With the settings of odziv.conf nothing of a row comes into the server's log,
// whatever fails; without them it does, which shows that this test looks at the
// right place.
func TestPostgresLogsNoRow(t *testing.T) {
	quiet := settings(t, "odziv.conf")
	const canary = "canary-7f3a"
	fail := func(c *pgtest.Cluster) string {
		dsn := c.Database(t)
		for _, query := range []string{
			"CREATE TABLE t (a text PRIMARY KEY, b int CHECK (b > 0)); INSERT INTO t VALUES ('" + canary + "', 1)",
			"INSERT INTO t VALUES ('" + canary + "', 1)",
			"INSERT INTO t VALUES ('" + canary + "-2', 0)",
			"INSERT INTO t VALUES ('" + canary + "', 'no number')",
			"SELECT '" + canary + "'::int",
			"SELECT pg_sleep(0.2), '" + canary + "' FROM t",
			"PREPARE q(text) AS INSERT INTO t VALUES ($1, 1); EXECUTE q('" + canary + "')",
			"SET statement_timeout = 1; SELECT pg_sleep(1), '" + canary + "'",
		} {
			_, _ = try(nil, "psql", "-X", "-q", dsn, "-c", query)
		}
		return c.Log()
	}
	// A message itself may quote a value that was sent as text, which this program
	// never does where a number is wanted.
	own := func(log string) (found []string) {
		for line := range strings.Lines(log) {
			if strings.Contains(line, canary) && !strings.Contains(line, "invalid input syntax") {
				found = append(found, line)
			}
		}
		return found
	}
	if found := own(fail(pgtest.Start(t, pgtest.Options{Settings: quiet}))); len(found) != 0 {
		t.Errorf("rows in the log:\n%s", strings.Join(found, ""))
	}
	if len(own(fail(pgtest.Start(t, pgtest.Options{})))) == 0 {
		t.Error("the usual settings log nothing either: this test looks in the wrong place")
	}
}

// PostgreSQL understands the example of pg_hba.conf, and refuses who is not in it.
func TestPostgresHBA(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"ssl": "off"}})
	file := filepath.Join(c.Dir(), "data", "pg_hba.conf")
	if err := os.WriteFile(file, []byte(read(t, "postgres/pg_hba.conf.example")), 0o600); err != nil {
		t.Fatal(err)
	}
	// hostssl without ssl is only a warning of the server's, told as an error here.
	wrong := c.Query("postgres", "SELECT line_number || ' ' || error FROM pg_hba_file_rules WHERE error IS NOT NULL AND error NOT LIKE 'hostssl record cannot match because SSL is disabled%'")
	if len(wrong) != 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	open := c.Query("postgres", "SELECT line_number::text FROM pg_hba_file_rules WHERE auth_method IN ('trust', 'password', 'md5') OR 'all' = ANY(user_name) OR type = 'host' AND address NOT IN ('127.0.0.1', '::1')")
	if len(open) != 0 {
		t.Errorf("lines %v let too many in", open)
	}
	// The first rule that fits decides, so each of those who must get in has one.
	for _, who := range []struct{ kind, database, user string }{
		{"local", "all", "postgres"}, {"local", "replication", "postgres"}, {"local", "odziv", "odziv_install"}, {"host", "odziv", "odzivd"},
		{"hostssl", "odziv", "odzivd"}, {"hostssl", "odziv", "odziv_install"}, {"hostssl", "replication", "odziv_replica"},
	} {
		n := c.Query("postgres", "SELECT count(*)::text FROM pg_hba_file_rules WHERE type = $1 AND $2 = ANY(database) AND $3 = ANY(user_name)", who.kind, who.database, who.user)
		if n[0] == "0" {
			t.Errorf("nobody lets %v in", who)
		}
	}
}

// A base backup of a primary with a synchronous standby brings everything back, as
// the drill shows; one from before the last message needs the mirror and the
// members; a damaged one is refused. The drill touches nothing.
func TestDrill(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("hint: run as root, as the drill does on a server")
	}
	conf := settings(t, "primary.conf")
	conf["unix_socket_permissions"] = "0777"
	for name, value := range settings(t, "odziv.conf") {
		conf[name] = value
	}
	c := pgtest.Start(t, pgtest.Options{Settings: conf})
	standby := c.Standby(t, "odziv_standby")
	c.SetSync("odziv_standby")
	_ = standby

	ctx, dir := t.Context(), t.TempDir()
	w, err := demo.Open(ctx, demo.Options{Dir: filepath.Join(dir, "world"), DB: c.Database(t), Clock: demo.NewClock(time.Now().Add(-time.Hour).UnixMilli()),
		Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	to := filepath.Join(dir, "backups")
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(c.Address(), ":")
	basebackup := func() string {
		t.Helper()
		out := run(t, []string{"PGHOST=" + host, "PGPORT=" + port, "PGUSER=postgres", "PGPASSWORD=" + pgtest.Password}, "bash", "backup.sh", "postgres", "--to", to)
		_, name, _ := strings.Cut(strings.TrimSpace(out), "written: ")
		return name
	}
	send(t, w)
	before := basebackup()
	send(t, w)
	if err := w.Published(ctx); err != nil {
		t.Fatal(err)
	}
	until(t, "the next second", func() error { // a backup's name has the second
		if time.Now().UTC().Format("base-20060102T150405Z") == filepath.Base(before) {
			return errors.New("still the same")
		}
		return nil
	})
	after := basebackup()
	mirror := filepath.Join(dir, "mirror")
	if err := writeMirror(ctx, w.Home, mirror); err != nil {
		t.Fatal(err)
	}
	home := w.Home.Dir
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	was := run(t, nil, "bash", "-c", `cd "$1" && find . -type f | sort | xargs sha256sum`, "sh", home)
	work := filepath.Join(dir, "work")
	if err := errors.Join(os.Mkdir(work, 0o755), openWay(work)); err != nil {
		t.Fatal(err)
	}
	drill := func(backup string, more ...string) (int, string) {
		t.Helper()
		out, err := try([]string{"ODZIVD=" + filepath.Join(tools(t), "odzivd")}, "bash", append([]string{"postgres/drill.sh", "--backup", backup, "--home", home, "--work", work}, more...)...)
		code := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if left, _ := filepath.Glob(work + "/*"); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		return code, out
	}
	if code, out := drill(after, "--from", mirror); code != 0 || !strings.Contains(out, "brings the exchange back") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out := drill(before, "--from", mirror); code != 3 || !strings.Contains(out, "odziv observe repost") {
		t.Errorf("%d\n%s", code, out)
	}
	damaged := filepath.Join(to, "damaged")
	run(t, nil, "cp", "-a", after, damaged)
	file := strings.TrimSpace(run(t, nil, "bash", "-c", `find "$1"/base -type f -size +8k | sort | head -n 1`, "sh", damaged))
	run(t, nil, "bash", "-c", `printf x | dd of="$1" bs=1 seek=9000 conv=notrunc`, "sh", file)
	if code, out := drill(damaged, "--from", mirror); code != 1 || !strings.Contains(out, "damaged") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out := drill(home); code != 1 || !strings.Contains(out, "no base backup") {
		t.Errorf("%d\n%s", code, out)
	}
	if is := run(t, nil, "bash", "-c", `cd "$1" && find . -type f | sort | xargs sha256sum`, "sh", home); is != was {
		t.Errorf("the drill changed the server's folder:\n%s\n%s", was, is)
	}
}

// openWay lets the account of PostgreSQL walk down to a folder of a test's.
func openWay(dir string) (err error) {
	for ; err == nil && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	return err
}

// send puts a message on record.
func send(t *testing.T, w *demo.World) {
	t.Helper()
	from, _ := w.Member("swc-kraljevo")
	to, _ := w.Member("hppo-kraljevo")
	legal, _ := from.Desk("legal")
	registry, _ := to.Desk("registry")
	at, err := legal.Office(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = at.Send(t.Context(), office.Draft{Desk: legal.ID, Family: "rs-a", Kind: "complaint", To: []string{registry.ID},
		Subj: []string{statement.NewID(statement.Person)}, Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
		Text: envelope.Text{Fields: map[string]string{"facts-of-case": "facts", "indicators": "none", "age": "adult", "role": "authority"}}})
	if err != nil {
		t.Fatal(err)
	}
}

// writeMirror writes both trees as an observer keeps them, up to the last checkpoint.
func writeMirror(ctx context.Context, home *server.Home, folder string) error {
	store, err := sqlstore.Open(ctx, home.DSN())
	if err != nil {
		return err
	}
	defer store.Close()
	put := func(name string, data []byte) error {
		name = filepath.Join(folder, name)
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600))
	}
	return store.View(ctx, func(r ledger.Reader) error {
		for _, log := range ledger.Logs {
			last, err := r.LastCheckpoint(ctx, log)
			if err == nil {
				err = put(log.String()+"/checkpoint", last.Note)
			}
			if err != nil {
				return err
			}
			for tile := range ledger.TreeTiles(last.Size) {
				data, err := ledger.ReadTile(ctx, r, log, tile)
				if err == nil {
					err = put(log.String()+"/"+ledger.TilePath(tile), data)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}
