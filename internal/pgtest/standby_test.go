package pgtest

import (
	"strings"
	"testing"
)

// TestFailover kills a primary under a synchronous standby, promotes that, and
// takes the old one back as its standby: nothing acknowledged is lost, and
// pg_rewind does nothing before a checkpoint of the new primary.
func TestFailover(t *testing.T) {
	a := Start(t, Options{})
	a.Exec("postgres", "CREATE TABLE t (x int)")
	b := a.Standby(t, "b")
	a.SetSync("b")
	a.Exec("postgres", "INSERT INTO t VALUES (1)")
	// So many pages that the new primary's own checkpoint takes its time.
	a.Exec("postgres", "CREATE TABLE filler AS SELECT i, repeat('x', 1000) FROM generate_series(1, 2000) i")
	a.Kill()
	b.Promote()
	b.Exec("postgres", "INSERT INTO t VALUES (2)")
	if got := strings.Join(b.Query("postgres", "SELECT x FROM t ORDER BY x"), ","); got != "1,2" {
		t.Fatalf("the new primary has %s", got)
	}
	if said := a.Rewind(b); !strings.Contains(said, "no rewind required") {
		t.Errorf("before a checkpoint pg_rewind does something: the trap that Checkpoint is for is gone: %s", said)
	}
	b.Checkpoint()
	if said := a.Rewind(b); !strings.Contains(said, "Done!") {
		t.Errorf("pg_rewind says %s", said)
	}
	a.Follow(b, "a")
	a.WaitReplay(b)
	if got := strings.Join(a.Query("postgres", "SELECT x FROM t ORDER BY x"), ","); got != "1,2" {
		t.Errorf("the old primary has %s", got)
	}
}

// TestLostTail promotes a standby that received less than the primary wrote.
func TestLostTail(t *testing.T) {
	a := Start(t, Options{})
	a.Exec("postgres", "CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	b := a.Standby(t, "b")
	b.WaitReplay(a)
	b.Detach()
	a.Exec("postgres", "INSERT INTO t VALUES (2)")
	a.Kill()
	b.Promote()
	if got := strings.Join(b.Query("postgres", "SELECT x FROM t"), ","); got != "1" {
		t.Errorf("the standby has %s", got)
	}
}
