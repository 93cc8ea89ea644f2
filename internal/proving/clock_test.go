package proving

import (
	"testing"

	"github.com/odziv/odziv/internal/pgtest"
)

// TestDatabaseClockJumps moves the clock of PostgreSQL, which is the time of
// every server on it, by ten minutes, both ways, while a server runs: nothing is
// recorded until it is right again, also not by a server that was started in
// between when the clock is behind what is on record.
func TestDatabaseClockJumps(t *testing.T) {
	c := pgtest.Start(t, pgtest.Options{Faketime: "+0"})
	f, d := openDaemon(t, c.Database(t))
	client := f.clientBy(nil)
	acks := []acknowledged{f.complain(t)}
	f.provable(t, acks[0])
	for range rounds(2) {
		for _, by := range []string{"+600", "-600"} {
			c.SetClock(by)
			b := f.bulky(t)
			for range 3 {
				_, err := b.send(client)
				refused(t, err, 503, "clock")
			}
			if by == "-600" { // before the last checkpoint: a new server sees it, too
				d.kill()
				d.start()
				_, err := b.send(client)
				refused(t, err, 503, "clock")
			}
			if _, err := client.Feed(t.Context(), f.sender("swc-kraljevo", "legal").desk.ID, 0, 1); err != nil {
				t.Errorf("%s: reading: %v", by, err)
			}
			c.SetClock("+0")
			if by == "-600" {
				d.kill() // which had no better time to compare with when it started
				d.start()
			}
			a, err := b.send(client)
			f.must(err)
			acks = append(acks, a)
		}
	}
	f.provable(t, acks[len(acks)-1])
	d.alive()
	d.kill()
	f.reopened(t, acks)
}
