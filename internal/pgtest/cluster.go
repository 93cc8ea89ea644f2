package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// A Cluster is a PostgreSQL server for one test. Its methods fail that test when
// the server does not do as told. Not safe for concurrent use, except DSN,
// Exec, Query and Backends.
type Cluster struct {
	*server
	t testing.TB
}

// Options say how a cluster differs from the usual.
type Options struct {
	// Settings of postgresql.conf, such as fsync=off.
	Settings map[string]string
	// Faketime, when not empty, puts the server's clock under [Cluster.SetClock],
	// and begins with this. The shared clock of a machine is not touched.
	Faketime string
	// Disk, when not empty, is where the data lie: an empty folder of the test's,
	// such as a small file system, or t.TempDir() for a benchmark, which must wait
	// for a real disk.
	Disk string
}

// Shared returns the one cluster of this test program, started on first use. It
// does not wait for the disk (fsync=off), so it is not for tests of what a power
// cut leaves; and nobody may stop it.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	p, err := thePlace()
	if err != nil {
		t.Fatal(err)
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.shared == nil {
		s, err := p.newServer(map[string]string{"fsync": "off", "full_page_writes": "off"})
		if err == nil {
			err = s.launch()
		}
		if err != nil {
			t.Fatal(err)
		}
		found.shared = s
	}
	return &Cluster{found.shared, t}
}

// Start starts a cluster that this test may stop, kill and set back. It waits
// for the disk (fsync=on).
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	p, err := thePlace()
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.newServer(o.Settings)
	if err != nil {
		t.Fatal(err)
	}
	c := s.forTest(t)
	if o.Faketime != "" {
		c.clock = filepath.Join(c.dir, "clock")
		c.SetClock(o.Faketime)
	}
	if o.Disk != "" {
		c.moveTo(o.Disk)
	}
	c.Start()
	return c
}

// forTest removes the server when the test ends, and shows its log if it failed.
func (s *server) forTest(t testing.TB) *Cluster {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the cluster in %s:\n%s", s.dir, s.log())
		}
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return &Cluster{s, t}
}

// moveTo puts the data on another file system.
func (c *Cluster) moveTo(disk string) {
	c.t.Helper()
	data := filepath.Join(disk, "data")
	cp := c.place.command("/", "cp", "-a", c.data(), data)
	cp.Path = "/bin/cp"
	err := c.place.own(disk)
	// t.TempDir lets nobody else through, and the server's user is somebody else.
	for dir := filepath.Dir(disk); err == nil && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o711)
	}
	if err == nil {
		var out []byte
		if out, err = cp.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w %s", err, out)
		}
	}
	if err == nil {
		err = os.RemoveAll(c.data())
	}
	if err == nil {
		err = os.Symlink(data, c.data())
	}
	c.must(err)
}

func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// DSN names a database of the cluster, over TCP, for the login postgres, which
// may do anything.
func (c *Cluster) DSN(database string) string { return c.tcp(database) }

// SocketDSN names a database for another login, which is asked for no password.
func (c *Cluster) SocketDSN(login, database string) string { return c.socket(login, database) }

// Address is where the server listens: host and port.
func (c *Cluster) Address() string { return fmt.Sprintf("127.0.0.1:%d", c.port) }

// databases numbers the databases of this test program.
var databases atomic.Int64

// Database makes an empty database, dropped when the test ends, and returns its
// DSN. [NameOf] tells its name.
func (c *Cluster) Database(t testing.TB) string { t.Helper(); return c.Copy(t, "template1") }

// Copy is Database with the content of another, which nobody may be using.
func (c *Cluster) Copy(t testing.TB, of string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	c.Exec("postgres", "CREATE DATABASE "+name+" TEMPLATE "+of)
	t.Cleanup(func() {
		if !c.running() {
			return
		}
		if err := c.try("postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return c.DSN(name)
}

// NameOf is the name of the database in a DSN of this package.
func NameOf(dsn string) string {
	name, _, _ := strings.Cut(dsn, "?")
	return name[strings.LastIndexByte(name, '/')+1:]
}

// Exec runs statements in a database as the login postgres.
func (c *Cluster) Exec(database, query string, args ...any) {
	c.t.Helper()
	c.must(c.try(database, query, args...))
}

func (c *Cluster) try(database, query string, args ...any) error {
	db, err := sql.Open("postgres", c.socket("postgres", database))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), query, args...)
	return err
}

// Query returns the first column of every row as text, NULL as "".
func (c *Cluster) Query(database, query string, args ...any) []string {
	c.t.Helper()
	list, err := c.query(database, query, args...)
	c.must(err)
	return list
}

func (s *server) query(database, query string, args ...any) ([]string, error) {
	db, err := sql.Open("postgres", s.socket("postgres", database))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text.String)
	}
	return list, rows.Err()
}

// Start starts a server that was stopped or killed, and waits until it answers.
func (c *Cluster) Start() { c.t.Helper(); c.must(c.launch()) }

// Stop ends the server as pg_ctl would: "smart" waits for its clients, "fast"
// rolls back what is open, "immediate" leaves recovery for the next start.
func (c *Cluster) Stop(mode string) {
	c.t.Helper()
	sig, ok := map[string]syscall.Signal{"smart": syscall.SIGTERM, "fast": syscall.SIGINT, "immediate": syscall.SIGQUIT}[mode]
	if !ok {
		c.t.Fatalf("pgtest: no way to stop is called %q", mode)
	}
	c.must(c.signal(sig))
}

// Restart stops the server fast and starts it.
func (c *Cluster) Restart() { c.t.Helper(); c.Stop("fast"); c.Start() }

// Kill ends every process of the server at once, as the kernel does when memory
// is short. What was written is not lost, as it would be when the power fails.
func (c *Cluster) Kill() { c.t.Helper(); c.must(c.kill()) }

// Dir is the server's folder: data, socket, log.
func (c *Cluster) Dir() string { return c.dir }

// Running reports whether the server runs: it gives up by itself when its log has
// no room, for one.
func (c *Cluster) Running() bool { return c.running() }

// Log is the end of what the server wrote.
func (c *Cluster) Log() string { return c.log() }

// SetClock moves the clock of a server that was started with Options.Faketime:
// "+600" or "-2h" against the machine's, "@2026-03-02 09:00:00" a clock that
// starts there, in the words of libfaketime. It counts from the next reading on.
func (c *Cluster) SetClock(spec string) {
	c.t.Helper()
	if c.clock == "" {
		c.t.Fatal("pgtest: the server runs on the machine's clock")
	}
	// Read at any moment: never half.
	next := c.clock + ".next"
	c.must(os.WriteFile(next, []byte(spec+"\n"), 0o644))
	c.must(os.Rename(next, c.clock))
}

// Checkpoint writes everything to the tables. pg_rewind needs one on the server
// it copies from, when that was promoted: before, the control file still tells
// the timeline of then, and nothing is done.
func (c *Cluster) Checkpoint() { c.t.Helper(); c.Exec("postgres", "CHECKPOINT") }
