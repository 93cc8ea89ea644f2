package proving

import (
	"database/sql"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/pgtest"
)

// TestStalledHolder stops one of two servers while it holds the serialized
// section. PostgreSQL takes the lock from it after three seconds without a word,
// and the other goes on; awake again, the first finds its transaction gone, and
// its senders repeat.
func TestStalledHolder(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{})
	db := c.Database(t)
	f, a := openDaemon(t, db)
	b := a.twin(t)
	evicted := 0
	for range rounds(3) {
		first, second := f.besiege(8, anyOf(a.listen)), f.besiege(8, anyOf(b.listen))
		first.more(1)
		second.more(1)
		a.stopInside(func() bool {
			for _, s := range c.Backends(pgtest.NameOf(db)) {
				if s.Application == "odziv" && s.State == "idle in transaction" && s.Blocking > 0 {
					return true
				}
			}
			return false
		})
		second.more(5) // nobody but a stalled server stands in their way
		evicted++
		a.resume()
		first.more(5)
		acks := append(first.relieve(), second.relieve()...)
		a.alive()
		f.provable(t, acks[len(acks)-1])
		f.reopened(t, acks)
	}
	t.Logf("evicted %d times", evicted)
}

// TestStalledHolderSQLite does the same on one file, where nobody can be evicted:
// the other server answers that it cannot write, and goes on when the first does.
func TestStalledHolderSQLite(t *testing.T) {
	f, a := openDaemon(t, "")
	b := a.twin(t)
	first, second := f.besiege(8, anyOf(a.listen)), f.besiege(1, anyOf(b.listen))
	first.more(1)
	second.more(1)
	acks := second.relieve()
	probe, err := sql.Open("sqlite", f.Home.DSN()[len("sqlite:"):]+"?_pragma=busy_timeout(0)")
	f.must(err)
	defer probe.Close()
	a.stopInside(func() bool {
		conn, err := probe.Conn(t.Context())
		f.must(err)
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
			return true // locked by the one that is stopped
		}
		_, err = conn.ExecContext(t.Context(), "ROLLBACK")
		f.must(err)
		return false
	})
	_, err = f.bulky(t).send(f.clientBy(anyOf(b.listen)))
	unavailable(t, err)
	a.resume()
	first.more(5)
	acks = append(acks, first.relieve()...)
	last, err := f.bulky(t).send(f.clientBy(anyOf(b.listen)))
	f.must(err)
	a.kill()
	b.kill()
	f.reopened(t, append(acks, last))
}

// stopInside stops the process again and again until it stands where it should.
func (d *daemon) stopInside(inside func() bool) {
	d.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
		if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			d.t.Fatal(err)
		}
		if inside() {
			return
		}
		d.resume()
	}
	d.t.Fatal("the server was never stopped inside the section")
}

func (d *daemon) resume() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		d.t.Fatal(err)
	}
}

// TestPausedBackend stops PostgreSQL's own process that holds the section, which
// no time limit of a session ends. Senders are told in time that the exchange
// cannot store, and when the process runs again, so does all. The time to wait
// for the lock is one second here, so as not to wait for eight.
func TestPausedBackend(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{})
	db := c.Database(t)
	f, d := openDaemon(t, db+"&lock_timeout=1000&statement_timeout=1000")
	twin := d.twin(t)
	s := f.besiege(8, anyOf(d.listen, twin.listen))
	s.more(1)
	holder, other := 0, twin
	f.eventually(t, func() error {
		for _, b := range c.Backends(pgtest.NameOf(db)) {
			if b.Blocking == 0 {
				continue
			}
			c.Pause(b.PID)
			for _, still := range c.Backends(pgtest.NameOf(db)) {
				if still.PID == b.PID && still.Blocking > 0 {
					if holder = b.PID; b.Application == "twin" {
						other = d
					}
					return nil
				}
			}
			c.Resume(b.PID)
		}
		return errors.New("no backend was stopped while it held the section")
	})
	_, err := f.bulky(t).send(f.clientBy(anyOf(other.listen)))
	unavailable(t, err)
	c.Resume(holder)
	s.more(10)
	acks := s.relieve()
	d.alive()
	twin.alive()
	f.provable(t, acks[len(acks)-1])
	f.reopened(t, acks)
}
