package pgtest

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// leftBehind in the environment makes the test program one that starts servers,
// tells where they are, and waits to be killed.
const leftBehind = "ODZIV_TEST_LEFT_BEHIND"

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// TestChild is the test program that is killed by TestNothingIsLeftBehind.
func TestChild(t *testing.T) {
	end := os.Getenv(leftBehind)
	if end == "" {
		return // not a child: nothing to show here
	}
	c, s := Start(t, Options{}), Shared(t)
	c.Exec("postgres", "CREATE TABLE t AS SELECT generate_series(1, 1000)")
	fmt.Printf("%s %d %d\n", c.place.base, c.cmd.Process.Pid, s.cmd.Process.Pid)
	switch end {
	case "panic":
		go func() { panic("not the goroutine of a test") }()
	case "exit":
		os.Exit(3)
	}
	time.Sleep(time.Hour)
}

// TestNothingIsLeftBehind ends test programs that have servers running in ways
// that run no cleanup: neither processes nor folder nor shared memory remain.
func TestNothingIsLeftBehind(t *testing.T) {
	memory := segments(t)
	for _, end := range []string{"kill", "panic", "exit"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), leftBehind+"="+end)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(line)
		if end == "kill" {
			cmd.Process.Kill()
		}
		_ = cmd.Wait()
		gone := within(func() bool {
			_, err := os.Stat(fields[0])
			return os.IsNotExist(err)
		})
		if !gone {
			t.Errorf("%s: %s is still there", end, fields[0])
		}
		for _, text := range fields[1:] {
			if pid, _ := strconv.Atoi(text); pid == 0 || alive(pid) {
				t.Errorf("%s: server %s still runs", end, text)
			}
		}
	}
	if left := segments(t); left > memory {
		t.Errorf("%d segments of shared memory, were %d", left, memory)
	}
}

// segments counts System V shared memory of the server's user.
func segments(t *testing.T) int {
	t.Helper()
	p, err := thePlace()
	if err != nil {
		t.Fatal(err)
	}
	uid := os.Geteuid()
	if p.credential != nil {
		uid = int(p.credential.Uid)
	}
	raw, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 7 && f[7] == strconv.Itoa(uid) && f[6] == "0" { // attached by nobody
			n++
		}
	}
	return n
}

func TestSettings(t *testing.T) {
	shared, own := Shared(t), Start(t, Options{Settings: map[string]string{"work_mem": "1234kB"}})
	for _, tt := range []struct {
		c           *Cluster
		name, value string
	}{
		{shared, "fsync", "off"},
		{shared, "synchronous_commit", "on"},
		{own, "fsync", "on"},
		{own, "full_page_writes", "on"},
		{own, "synchronous_commit", "on"},
		{own, "data_checksums", "on"},
		{own, "work_mem", "1234kB"},
		{own, "wal_retrieve_retry_interval", "200ms"}, // a promotion must not wait for five seconds
		{own, "dynamic_shared_memory_type", "mmap"},   // nothing of a killed server stays in /dev/shm
		{own, "TimeZone", "Europe/Belgrade"},
	} {
		if got := tt.c.Query("postgres", "SHOW "+tt.name)[0]; got != tt.value {
			t.Errorf("%s is %s, want %s", tt.name, got, tt.value)
		}
	}
	// Not the order of bytes, in which B is before a.
	if got := shared.Query("postgres", "SELECT x FROM (VALUES ('B'), ('a')) v(x) ORDER BY x"); got[0] != "a" {
		t.Error("the cluster sorts by bytes: it finds no forgotten collation")
	}
}

func TestDatabase(t *testing.T) {
	c := Shared(t)
	var name string
	t.Run("made", func(t *testing.T) {
		dsn := c.Database(t)
		name = NameOf(dsn)
		db, err := sql.Open("postgres", dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() }) // after the database is dropped: it is dropped from under us
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (x text); CREATE ROLE pgtest_guest LOGIN"); err != nil {
			t.Fatal(err)
		}
		defer c.Exec("postgres", "DROP ROLE pgtest_guest")
		guest, err := sql.Open("postgres", c.SocketDSN("pgtest_guest", name))
		if err != nil {
			t.Fatal(err)
		}
		defer guest.Close()
		if _, err := guest.ExecContext(t.Context(), "SELECT * FROM t"); err == nil {
			t.Error("a guest reads what it was not granted")
		}
		if wrong, _ := sql.Open("postgres", strings.Replace(dsn, Password, "wrong", 1)); wrong.Ping() == nil {
			t.Error("TCP lets anybody in")
		}
	})
	if got := c.Query("postgres", "SELECT count(*) FROM pg_database WHERE datname = $1", name)[0]; got != "0" {
		t.Errorf("database %s is still there", name)
	}
}

// TestKill writes, kills the server and finds what was acknowledged.
func TestKill(t *testing.T) {
	c := Start(t, Options{})
	c.Exec("postgres", "CREATE TABLE t (x int)")
	for i, end := range []func(){c.Kill, func() { c.Stop("immediate") }, func() { c.Stop("fast") }, c.Kill} {
		c.Exec("postgres", "INSERT INTO t VALUES ($1)", i)
		end()
		if _, err := c.query("postgres", "SELECT 1"); err == nil {
			t.Fatal("a stopped server answers")
		}
		c.Start()
		if got := c.Query("postgres", "SELECT max(x) FROM t")[0]; got != strconv.Itoa(i) {
			t.Errorf("round %d: found %s", i, got)
		}
	}
}

// TestPause stops a backend that holds a lock. Others wait for it, and get the
// lock when it goes on.
func TestPause(t *testing.T) {
	c := Start(t, Options{})
	c.Exec("postgres", "CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	db, err := sql.Open("postgres", c.DSN("postgres"))
	c.must(err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	c.must(err)
	_, err = tx.Exec("UPDATE t SET x = 2")
	c.must(err)
	holder := c.Backends("postgres")[0]
	c.Pause(holder.PID)
	second := make(chan error, 1)
	go func() { second <- c.try("postgres", "UPDATE t SET x = x + 10") }()
	c.wait("a second backend behind the first", func() (bool, error) {
		for _, b := range c.Backends("postgres") {
			if b.PID == holder.PID && b.Blocking == 1 {
				return true, nil
			}
		}
		return false, nil
	})
	c.Resume(holder.PID)
	c.must(tx.Commit())
	c.must(<-second)
	if got := c.Query("postgres", "SELECT x FROM t")[0]; got != "12" {
		t.Errorf("x is %s", got)
	}
}

// TestClock moves the clock of a server both ways while it runs.
func TestClock(t *testing.T) {
	c := Start(t, Options{Faketime: "+0"})
	for _, tt := range []struct {
		spec string
		by   time.Duration
	}{{"+0", 0}, {"+600", 10 * time.Minute}, {"-600", -10 * time.Minute}, {"+30d", 720 * time.Hour}} {
		c.SetClock(tt.spec)
		ms, err := strconv.ParseFloat(c.Query("postgres", "SELECT extract(epoch FROM clock_timestamp()) * 1000")[0], 64)
		c.must(err)
		if off := time.UnixMilli(int64(ms)).Sub(time.Now()) - tt.by; off.Abs() > time.Minute {
			t.Errorf("%s: the server's clock is off by %v", tt.spec, off)
		}
	}
	c.Kill()
	c.Start() // with the faked clock of then
	if left, _ := filepath.Glob("/dev/shm/faketime_*_" + strconv.Itoa(c.cmd.Process.Pid)); len(left) != 0 {
		t.Errorf("libfaketime leaves %v", left)
	}
}

// TestDisk keeps the data elsewhere.
func TestDisk(t *testing.T) {
	disk := t.TempDir()
	c := Start(t, Options{Disk: disk})
	got := c.Query("postgres", "SELECT pg_read_file('PG_VERSION')")[0]
	raw, err := os.ReadFile(filepath.Join(disk, "data", "PG_VERSION"))
	if err != nil || string(raw) != got {
		t.Errorf("%q, %v, want %q", raw, err, got)
	}
}

// TestCancelledCommit shows the trap that every caller of a synchronous COMMIT
// must know: cancelled while it waits for the standby, it is reported as done.
func TestCancelledCommit(t *testing.T) {
	primary := Start(t, Options{})
	primary.Exec("postgres", "CREATE TABLE t (x int)")
	standby := primary.Standby(t, "one")
	primary.SetSync("one")
	primary.Exec("postgres", "INSERT INTO t VALUES (1)")
	standby.WaitReplay(primary)
	standby.Kill()
	db, err := sql.Open("postgres", primary.DSN("postgres"))
	primary.must(err)
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (2)"); done <- err }()
	primary.wait("the commit to wait for the standby", func() (bool, error) {
		got, err := primary.query("postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		return err == nil && got[0] == "1", err
	})
	cancel()
	if err := <-done; err != nil {
		t.Logf("the driver tells that it was cancelled: %v", err)
	}
	if got := primary.Query("postgres", "SELECT count(*) FROM t")[0]; got != "2" {
		t.Errorf("%s rows: the cancelled commit was undone", got)
	}
}
