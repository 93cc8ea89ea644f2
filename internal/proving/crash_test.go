package proving

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/pgtest"
)

// TestKill kills the server under 32 concurrent senders at random moments.
// Afterwards every acknowledged message is at the index that was answered, none
// is half there or there twice, and the trees recompute.
func TestKill(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		f, d := openDaemon(t, e.database(t))
		s := f.besiege(32, nil)
		for range rounds(10) {
			time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)
			d.kill()
			d.start()
			s.more(1)
		}
		acks := s.relieve()
		d.kill()
		f.reopened(t, acks)
	})
}

// TestDatabaseKilled kills PostgreSQL under 32 senders, every process of it at
// once or as "pg_ctl -m immediate" does. The server lives through it, and so does
// everything acknowledged.
func TestDatabaseKilled(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{})
	f, d := openDaemon(t, c.Database(t))
	s := f.besiege(32, nil)
	s.more(1) // the server has begun: it does not without its database
	reader, desk := f.clientBy(nil), f.sender("swc-kraljevo", "legal").desk.ID
	for i := range rounds(10) {
		time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)
		if i%2 == 0 {
			c.Kill()
		} else {
			c.Stop("immediate")
		}
		_, err := reader.Feed(t.Context(), desk, 0, 1)
		unavailable(t, err) // and not a fault of the program
		c.Start()
		s.more(1)
	}
	acks := s.relieve()
	f.provable(t, acks[len(acks)-1])
	d.kill()
	f.reopened(t, acks)
}

// TestTwoServers lets two servers, each with its signer and its own memory of
// what it signed, work on one database under 32 senders, and kills one after the
// other. They are one exchange: one order, one tree, no index twice, and no
// checkpoint that the other contradicts.
func TestTwoServers(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		f, a := openDaemon(t, e.database(t))
		b := a.twin(t)
		s := f.besiege(32, anyOf(a.listen, b.listen))
		s.more(1)
		for i := range rounds(8) {
			time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond)
			d := []*daemon{a, b}[i%2]
			d.kill()
			s.more(1) // the other goes on alone
			d.start()
			s.more(1)
		}
		acks := s.relieve()
		f.provable(t, acks[len(acks)-1])
		a.alive()
		b.alive()
		a.kill()
		b.kill()
		f.reopened(t, acks)
	})
}
