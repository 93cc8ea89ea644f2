package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
)

// oddNames are file names in which some character means something to a URI, a
// DSN, a shell or SQL.
var oddNames = []string{"plain.db", "with space.db", "ж-š.db", "100%.db", "%41.db", "a?mode=memory", "a?_pragma=x", "a#b", "a&b=c",
	"a;b", "a'b", `a"b`, "a\nb", "a\\b", "a+b", ":memory:.db", "file:x", "~", "-wal"}

func TestOddNames(t *testing.T) {
	ctx := context.Background()
	for _, name := range oddNames {
		folder := t.TempDir()
		dsn := "sqlite:" + filepath.Join(folder, name)
		s, err := Create(ctx, dsn)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		put(t, s, "m_a", 7)
		closed(t, s)
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 1 || files[0].Name() != name {
			t.Errorf("%q: the folder holds %v, %v", name, files, err)
		}
		s, err = Open(ctx, dsn)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		wantLast(t, s, "m_a", 7)
		closed(t, s)
	}
}

func put(t testing.TB, s *Store, obj string, idx int64) {
	t.Helper()
	err := s.Write(context.Background(), func(tx exchange.Tx) error { return tx.PutLast(context.Background(), obj, idx) })
	if err != nil {
		t.Fatal(err)
	}
}

func wantLast(t testing.TB, s *Store, obj string, want int64) {
	t.Helper()
	err := s.Read(context.Background(), func(v exchange.View) error {
		got, err := v.Last(context.Background(), obj)
		if got != want {
			t.Errorf("last of %s is %d, want %d", obj, got, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func closed(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	s, err := Create(context.Background(), "sqlite:ledger.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // connections made later must find the same file
	put(t, s, "m_a", 1)
	wantLast(t, s, "m_a", 1)
	closed(t, s)
}

func TestModes(t *testing.T) {
	r := newRaw(t)
	put(t, r.Store, "m_a", 1)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(r.path + suffix)
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%q has mode %o", suffix, info.Mode().Perm())
		}
	}
}

func TestSettings(t *testing.T) {
	r := newRaw(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1", "busy_timeout": "8000"} {
		if got := r.query(t, "PRAGMA "+pragma); len(got) != 1 || got[0] != want {
			t.Errorf("writer: %s is %v, want %s", pragma, got, want)
		}
	}
	c, err := r.reader.take(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer r.reader.give(c)
	if _, err := c.raw.ExecContext(context.Background(), "DELETE FROM last"); !errors.Is(failed("delete", err), ErrReadOnly) {
		t.Errorf("a reader wrote: %v", err)
	}
}

// wantFailure wants an error of a kind, whose hint can be had through any
// wrapping.
func wantFailure(t *testing.T, what string, err error, kind *Failure) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error %v, want %q", what, err, kind)
		return
	}
	var f *Failure
	if !errors.As(err, &f) || f.Hint() == "" {
		t.Errorf("%s: no hint", what)
	}
	if !strings.Contains(err.Error(), kind.Error()) {
		t.Errorf("%s: %q does not say %q", what, err, kind)
	}
}

func TestCreateTwice(t *testing.T) {
	ctx := context.Background()
	r := newRaw(t)
	put(t, r.Store, "m_a", 1)
	_, err := Create(ctx, "sqlite:"+r.path)
	wantFailure(t, "create over an open ledger", err, ErrExists)
	wantLast(t, r.Store, "m_a", 1)
	put(t, r.Store, "m_a", 2)

	for what, make := range map[string]func(path string) error{
		"an empty file":    func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"a file":           func(p string) error { return os.WriteFile(p, []byte("kept"), 0o600) },
		"a folder":         func(p string) error { return os.Mkdir(p, 0o700) },
		"a dangling link":  func(p string) error { return os.Symlink(p+"-elsewhere", p) },
		"an old log":       func(p string) error { return os.WriteFile(p+"-wal", []byte("kept"), 0o600) },
		"an old index":     func(p string) error { return os.WriteFile(p+"-shm", []byte("kept"), 0o600) },
		"an old journal":   func(p string) error { return os.WriteFile(p+"-journal", []byte("kept"), 0o600) },
		"a link to itself": func(p string) error { return os.Symlink(p, p) },
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "ledger.db")
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		before := listing(t, folder)
		_, err := Create(ctx, "sqlite:"+path)
		wantFailure(t, "create over "+what, err, ErrExists)
		if after := listing(t, folder); after != before {
			t.Errorf("create over %s: the folder changed from %s to %s", what, before, after)
		}
	}
}

func listing(t *testing.T, folder string) (out string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, _ := os.ReadFile(filepath.Join(folder, f.Name()))
		out += f.Name() + "=" + string(data) + " "
	}
	return out
}

func TestCreateNowhere(t *testing.T) {
	_, err := Create(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "no", "folder"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestCreateFails: what a failed Create made is gone, so that it can be tried
// again.
func TestCreateFails(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	folder := t.TempDir()
	if _, err := Create(ctx, "sqlite:"+filepath.Join(folder, "ledger.db")); err == nil {
		t.Fatal("created for a caller who had gone")
	}
	if left := listing(t, folder); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

func TestNames(t *testing.T) {
	for _, dsn := range []string{"", "sqlite", "sqlite:", "sqlite::memory:", "sqlite:a\x00b", "/var/lib/ledger.db", "postgres://u:secret@h/db"} {
		for _, open := range []func(context.Context, string) (*Store, error){Open, Create} {
			_, err := open(context.Background(), dsn)
			if err == nil {
				t.Errorf("%q: accepted", dsn)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: the error tells the password: %v", dsn, err)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for what, c := range map[string]struct {
		make func(path string) error
		want *Failure
	}{
		"nothing":          {func(string) error { return nil }, ErrNoFile},
		"an empty file":    {func(p string) error { return os.WriteFile(p, nil, 0o600) }, ErrNoFile},
		"a folder":         {func(p string) error { return os.Mkdir(p, 0o700) }, ErrNoFile},
		"text":             {func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("no database\n"), 900), 0o600) }, ErrDamaged},
		"a short text":     {func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) }, ErrDamaged},
		"another database": {func(p string) error { return os.Rename(foreign, p) }, ErrSchema},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "ledger.db")
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before := listing(t, folder)
		_, err := Open(context.Background(), "sqlite:"+path)
		wantFailure(t, "open "+what, err, c.want)
		if after := listing(t, folder); after != before {
			t.Errorf("open %s: the folder changed from %.200q to %.200q", what, before, after)
		}
	}
}

// TestVanished: a connection that is made later does not create what is gone.
func TestVanished(t *testing.T) {
	folder := t.TempDir()
	s := newStore(filepath.Join(folder, "ledger.db"), lockTimeout)
	err := s.Write(context.Background(), func(exchange.Tx) error { return nil })
	wantFailure(t, "write to a file that is gone", err, ErrReadOnly)
	if left := listing(t, folder); left != "" {
		t.Errorf("made %q", left)
	}
	closed(t, s)
}

// TestDamaged overwrites the header, then pages within, of a ledger.
func TestDamaged(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Create(ctx, "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for range 4 {
		if err := writeGroup(ctx, s, newGroup(&next), false); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, s)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, damage := range map[string]func(b []byte) []byte{
		"header overwritten": func(b []byte) []byte { copy(b, bytes.Repeat([]byte{'x'}, 100)); return b },
		"cut short":          func(b []byte) []byte { return b[:len(b)/2] },
		"zeroes within":      func(b []byte) []byte { clear(b[8192 : len(b)-8192]); return b },
	} {
		if err := os.WriteFile(path, damage(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(ctx, "sqlite:"+path)
		if err == nil {
			err = s.Read(ctx, func(v exchange.View) error {
				if _, err := ledger.Check(ctx, v, ledger.Ev); err != nil {
					return err
				}
				return v.Derived(ctx, func(string, string, string) error { return nil })
			})
			closed(t, s)
		}
		wantFailure(t, what, err, ErrDamaged)
	}
}

func TestMigrations(t *testing.T) {
	ctx := context.Background()
	all := migrations()
	if len(all) < 3 {
		t.Fatalf("%d migrations", len(all))
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := claim(path); err != nil {
		t.Fatal(err)
	}
	old := newStore(path, lockTimeout)
	if err := old.onWriter(ctx, func(c *conn) error { return install(ctx, c, all[:2]) }); err != nil {
		t.Fatal(err)
	}
	if err := old.onWriter(ctx, func(c *conn) error { return install(ctx, c, all) }); !errors.Is(err, ErrExists) {
		t.Errorf("installed over a schema: %v", err)
	}
	put(t, old, "m_a", 1)
	closed(t, old)

	s, err := Open(ctx, "sqlite:"+path) // brings it up to date
	if err != nil {
		t.Fatal(err)
	}
	wantLast(t, s, "m_a", 1)
	if err := s.Scratch(ctx, func(sc exchange.Scratch) error { return sc.PutPackage(ctx, "a", nil) }); err != nil {
		t.Errorf("the table of the third migration: %v", err)
	}
	again := func(list []migration) error {
		return s.onWriter(ctx, func(c *conn) error { return upgrade(ctx, c, list) })
	}
	if err := again(all); err != nil {
		t.Errorf("upgrade of what is up to date: %v", err)
	}
	wantFailure(t, "a newer schema", again(all[:2]), ErrSchema)
	edited := append([]migration{}, all...)
	edited[1].digest = strings.Repeat("0", 64)
	wantFailure(t, "a schema of another program", again(edited), ErrSchema)

	broken := migration{version: len(all) + 1, script: "CREATE TABLE half (x); CREATE TABLE half (x)", digest: "d"}
	if err := again(append(append([]migration{}, all...), broken)); err == nil {
		t.Error("a migration that fails: accepted")
	}
	r := &raw{s, path}
	if left := r.query(t, "SELECT name FROM sqlite_schema WHERE name = 'half'"); len(left) != 0 {
		t.Error("half of a migration stayed")
	}
	if versions := r.query(t, "SELECT version FROM schema_version ORDER BY version"); len(versions) != len(all) {
		t.Errorf("versions %v", versions)
	}
	closed(t, s)
}

func TestMigrationNumbers(t *testing.T) {
	file := func() *fstest.MapFile { return &fstest.MapFile{Data: []byte("SELECT 1")} }
	for what, names := range map[string][]string{
		"a gap": {"0001_a.sql", "0003_c.sql"}, "no beginning": {"0002_b.sql"}, "a number twice": {"0001_a.sql", "0001_b.sql"}, "no number": {"first.sql"},
	} {
		files := fstest.MapFS{}
		for _, n := range names {
			files["schema/"+n] = file()
		}
		if _, err := readMigrations(files, "schema"); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	list, err := readMigrations(fstest.MapFS{"schema/0001_a.sql": file(), "schema/0002_b.sql": file(), "schema/notes.txt": file()}, "schema")
	if err != nil || len(list) != 2 || list[1].version != 2 {
		t.Errorf("two migrations: %v, %v", list, err)
	}
}
