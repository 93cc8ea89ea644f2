package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
)

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
}

// waiting are the processes that wait for the synchronous standby.
func waiting(c *pgtest.Cluster) []string {
	return c.Query("postgres", "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
}

// aloneWithStandby is a store on a primary whose one synchronous standby is dead.
func aloneWithStandby(t *testing.T, l limits) (*pgtest.Cluster, *Store) {
	t.Helper()
	ctx := context.Background()
	primary := pgtest.Start(t, pgtest.Options{})
	dsn := primary.Database(t)
	created, err := Create(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, created)
	s, err := openPostgres(ctx, dsn, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s) })
	standby := primary.Standby(t, "s1")
	primary.SetSync("s1")
	put(t, s, "m_before", 1)
	standby.Kill()
	return primary, s
}

// TestCommitCancelled: a synchronous commit that is cancelled is kept here and
// nobody knows whether on the standby. PostgreSQL says so by a warning, lib/pq not
// at all.
func TestCommitCancelled(t *testing.T) {
	ctx := context.Background()
	primary, s := aloneWithStandby(t, serving)

	write := func(ctx context.Context, obj string) chan error {
		done := make(chan error, 1)
		go func() {
			done <- s.Write(ctx, func(tx exchange.Tx) error { return tx.PutLast(ctx, obj, 1) })
		}()
		eventually(t, "a commit that waits for the standby", func() bool { return len(waiting(primary)) == 1 })
		return done
	}
	t.Run("by the context", func(t *testing.T) {
		gone, cancel := context.WithCancel(ctx)
		done := write(gone, "m_context")
		cancel()
		if pid := waiting(primary); len(pid) != 1 {
			t.Errorf("waiting after the caller had gone: %v", pid)
		}
		primary.Exec("postgres", "SELECT pg_cancel_backend("+waiting(primary)[0]+")")
		wantFailure(t, "a commit whose caller had gone", <-done, ErrOutcome)
	})
	t.Run("by the operator", func(t *testing.T) {
		done := write(ctx, "m_operator")
		primary.Exec("postgres", "SELECT pg_cancel_backend("+waiting(primary)[0]+")")
		err := <-done
		wantFailure(t, "a cancelled commit", err, ErrOutcome)
		if err != nil && !strings.Contains(err.Error(), "standby") {
			t.Errorf("the error does not tell why: %v", err)
		}
		wantLast(t, s, "m_operator", 1)
	})
	t.Run("by ending the connection", func(t *testing.T) {
		done := write(ctx, "m_terminated")
		primary.Exec("postgres", "SELECT pg_terminate_backend("+waiting(primary)[0]+")")
		wantFailure(t, "a terminated commit", <-done, ErrOutcome)
	})
	t.Run("no time limit", func(t *testing.T) {
		hurried, err := openPostgres(ctx, dsnOf(primary, s), limits{statement: 50 * time.Millisecond, lock: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			done <- hurried.Write(ctx, func(tx exchange.Tx) error { return tx.PutLast(ctx, "m_hurried", 1) })
		}()
		eventually(t, "a commit that waits for the standby", func() bool { return len(waiting(primary)) == 1 })
		primary.SetSync() // the operator goes on without: that is no doubt
		if err := <-done; err != nil {
			t.Errorf("a commit that a time limit ended: %v", err)
		}
		closed(t, hurried)
	})
	put(t, s, "m_after", 1)
}

// dsnOf names the database of a store on a cluster with one database.
func dsnOf(c *pgtest.Cluster, _ *Store) string {
	return c.DSN(c.Query("postgres", "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")[0])
}

// TestDriverReportsCancelledCommit shows the trap itself. When it fails the
// driver has learned, and commit may be less careful.
func TestDriverReportsCancelledCommit(t *testing.T) {
	primary, s := aloneWithStandby(t, serving)
	db, err := sql.Open("postgres", dsnOf(primary, s))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "CREATE TABLE trap (x int)")
		done <- err
	}()
	eventually(t, "a commit that waits for the standby", func() bool { return len(waiting(primary)) == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the driver reports a cancelled commit: %v", err)
	}
	primary.SetSync()
}

// TestCommitUnanswered: a commit that is not answered in time has an unknown
// outcome, and whoever comes next does not see it while it waits.
func TestCommitUnanswered(t *testing.T) {
	ctx := context.Background()
	primary, s := aloneWithStandby(t, limits{statement: 5 * time.Second, lock: 100 * time.Millisecond, silence: 500 * time.Millisecond})
	err := s.Write(ctx, func(tx exchange.Tx) error { return tx.PutLast(ctx, "m_silent", 1) })
	wantFailure(t, "a commit without an answer", err, ErrOutcome)
	wantLast(t, s, "m_silent", -1)
	err = s.Write(ctx, func(tx exchange.Tx) error { t.Error("ran while another commits"); return nil })
	wantFailure(t, "the next writer", err, ErrBusy)
	primary.SetSync()
	eventually(t, "the section to be free", func() bool {
		return s.Write(ctx, func(tx exchange.Tx) error { return tx.PutLast(ctx, "m_next", 1) }) == nil
	})
	wantLast(t, s, "m_silent", 1)
}

// TestRestart: what was open is lost and said to be; what begins after is served,
// without an error, on new connections.
func TestRestart(t *testing.T) {
	ctx := context.Background()
	c := pgtest.Start(t, pgtest.Options{})
	r := servedOn(t, c.Database(t))
	put(t, r.Store, "m_a", 1)
	wantLast(t, r.Store, "m_a", 1)
	c.Restart()
	wantLast(t, r.Store, "m_a", 1)
	put(t, r.Store, "m_a", 2)
	if err := r.Scratch(ctx, func(s exchange.Scratch) error { return s.PutPackage(ctx, "a", nil) }); err != nil {
		t.Error(err)
	}
	err := r.Write(ctx, func(tx exchange.Tx) error {
		err := tx.PutLast(ctx, "m_lost", 1)
		c.Restart()
		_, again := tx.Last(ctx, "m_lost")
		wantFailure(t, "a question after the restart", again, ErrUnreachable)
		return errors.Join(err, tx.PutLast(ctx, "m_lost", 2))
	})
	wantFailure(t, "a transaction over a restart", err, ErrUnreachable)
	wantLast(t, r.Store, "m_lost", -1)
	err = r.Write(ctx, func(tx exchange.Tx) error {
		err := tx.PutLast(ctx, "m_lost", 1)
		c.Kill()
		return err
	})
	wantFailure(t, "a transaction over a crash", err, ErrUnreachable)
	for range 2 {
		wantFailure(t, "a write to a server that is down", r.Write(ctx, func(exchange.Tx) error { return nil }), ErrUnreachable)
		wantFailure(t, "a read of a server that is down", r.Read(ctx, func(exchange.View) error { return nil }), ErrUnreachable)
	}
	if _, err := Open(ctx, r.dsn); !errors.Is(err, ErrUnreachable) {
		t.Errorf("open on a server that is down: %v", err)
	}
	c.Start()
	put(t, r.Store, "m_a", 3)
	wantLast(t, r.Store, "m_lost", -1)
}

// TestFailover: the store follows the primary among the hosts it was given.
func TestFailover(t *testing.T) {
	ctx := context.Background()
	first := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"wal_retrieve_retry_interval": "200ms"}})
	dsn := first.Database(t)
	created, err := Create(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, created)
	second := first.Standby(t, "s1")
	first.SetSync("s1")
	both := hosts(dsn, second, first) // the standby first: it must be passed over
	s, err := Open(ctx, both)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closed(t, s) }()
	for i := range 20 {
		put(t, s, "m_a", int64(i))
	}
	first.Kill()
	second.Promote()
	wantLast(t, s, "m_a", 19)
	put(t, s, "m_a", 20)
	wantLast(t, s, "m_a", 20)
	wantFailure(t, "open on the dead one", func() error { _, err := Open(ctx, dsn); return err }(), ErrUnreachable)
}

// hosts names one database on several clusters.
func hosts(dsn string, clusters ...*pgtest.Cluster) string {
	var hosts, ports []string
	for _, c := range clusters {
		host, port, _ := strings.Cut(c.Address(), ":")
		hosts, ports = append(hosts, host), append(ports, port)
	}
	return fmt.Sprintf("postgres://postgres:%s@/%s?sslmode=disable&host=%s&port=%s", pgtest.Password, pgtest.NameOf(dsn),
		strings.Join(hosts, ","), strings.Join(ports, ","))
}

// TestEvicted: whoever holds the section and asks nothing loses it.
func TestEvicted(t *testing.T) {
	ctx := context.Background()
	r := newServed(t)
	slow, err := openPostgres(ctx, r.dsn, limits{idle: 100 * time.Millisecond, lock: lockTimeout})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, slow)
	err = slow.Write(ctx, func(tx exchange.Tx) error {
		err := tx.PutLast(ctx, "m_slow", 1)
		put(t, r.Store, "m_other", 1) // waits until the holder is evicted
		return errors.Join(err, tx.PutLast(ctx, "m_slow", 2))
	})
	wantFailure(t, "the holder that stalled", err, ErrUnreachable)
	wantLast(t, r.Store, "m_slow", -1)
	wantLast(t, r.Store, "m_other", 1)
	put(t, slow, "m_slow", 3)
}

// TestBusyServed: a holder that goes on asking is waited for, so long and no
// longer.
func TestBusyServed(t *testing.T) {
	ctx := context.Background()
	r := newServed(t)
	other, err := openPostgres(ctx, r.dsn, limits{lock: 100 * time.Millisecond, statement: time.Millisecond * 20})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, other)
	err = r.Write(ctx, func(tx exchange.Tx) error {
		wantFailure(t, "write while another writes", other.Write(ctx, func(exchange.Tx) error { t.Error("ran"); return nil }), ErrBusy)
		wantLast(t, other, "m_a", -1)
		if err := other.Scratch(ctx, func(s exchange.Scratch) error { return s.PutPackage(ctx, "beside", nil) }); err != nil {
			t.Errorf("scratch while another writes: %v", err)
		}
		return tx.PutLast(ctx, "m_a", 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = other.Write(ctx, func(tx exchange.Tx) error {
		return tx.(interface {
			each(context.Context, string, []any, func(*sql.Rows) error) error
		}).each(ctx, "SELECT pg_sleep(9)", nil, func(*sql.Rows) error { return nil })
	})
	wantFailure(t, "a statement that takes too long", err, ErrBusy)
	put(t, other, "m_a", 2)
}
