package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Standby makes a copy of the running cluster that follows it by the given name,
// with the same settings.
func (c *Cluster) Standby(t testing.TB, name string) *Cluster {
	t.Helper()
	s, err := c.place.bare(c.settings)
	c.must(err)
	standby := s.forTest(t)
	_, err = c.place.run(c.dir, "pg_basebackup", "--dbname="+c.conninfo(name), "--pgdata="+s.data(), "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	c.must(err)
	standby.Follow(c, name)
	return standby
}

// conninfo names the cluster for programs of PostgreSQL.
func (s *server) conninfo(application string) string {
	return fmt.Sprintf("host=%s port=%d user=postgres application_name=%s", s.dir, s.port, application)
}

// Follow starts a stopped cluster as a standby of another. What ALTER SYSTEM had
// set in it is forgotten: it came from the other, and a standby that waits for
// itself would never commit once promoted.
func (c *Cluster) Follow(primary *Cluster, name string) {
	c.t.Helper()
	for file, text := range map[string]string{"standby.signal": "", "postgresql.auto.conf": "primary_conninfo = '" + primary.conninfo(name) + "'\n"} {
		path := filepath.Join(c.data(), file)
		c.must(os.WriteFile(path, []byte(text), 0o600))
		c.must(c.place.own(path))
	}
	c.Start()
}

// SetSync makes commits wait until the first of the named standbys that is
// connected has them on disk; none named, until nobody does.
func (c *Cluster) SetSync(names ...string) {
	c.t.Helper()
	value := ""
	if len(names) != 0 {
		value = `FIRST 1 ("` + strings.Join(names, `", "`) + `")`
	}
	c.Exec("postgres", "ALTER SYSTEM SET synchronous_standby_names = '"+value+"'")
	c.Exec("postgres", "SELECT pg_reload_conf()")
	c.wait("the new setting", func() (bool, error) {
		got, err := c.query("postgres", "SHOW synchronous_standby_names")
		return err == nil && got[0] == value, err
	})
	// What counts is a flag in shared memory that the checkpointer sets when it
	// gets to it. Until then a commit may return at once, while every view already
	// shows a synchronous standby.
	c.Checkpoint()
	if len(names) == 0 {
		return
	}
	c.wait("a synchronous standby", func() (bool, error) {
		got, err := c.query("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
		return err == nil && got[0] != "0", err
	})
}

// WaitReplay waits until a standby shows all that the primary has now.
func (c *Cluster) WaitReplay(primary *Cluster) {
	c.t.Helper()
	at := primary.Query("postgres", "SELECT pg_current_wal_flush_lsn()")[0]
	c.wait("replay up to "+at, func() (bool, error) {
		got, err := c.query("postgres", "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), $1) >= 0", at)
		return err == nil && got[0] == "true", err
	})
}

// Detach lets a standby receive nothing more: what the primary does from now on
// is the tail that it loses.
func (c *Cluster) Detach() {
	c.t.Helper()
	c.Exec("postgres", "ALTER SYSTEM SET primary_conninfo = ''")
	c.Exec("postgres", "SELECT pg_reload_conf()")
	c.wait("the end of the reception", func() (bool, error) {
		got, err := c.query("postgres", "SELECT count(*) FROM pg_stat_wal_receiver")
		return err == nil && got[0] == "0", err
	})
}

// Promote makes a standby a primary that waits for nobody.
func (c *Cluster) Promote() {
	c.t.Helper()
	if got := c.Query("postgres", "SELECT pg_promote(true, 100)"); got[0] != "true" {
		c.t.Fatal("pgtest: the standby was not promoted in 100 s")
	}
}

// Rewind takes a stopped cluster back to where another parted from it, ready for
// [Cluster.Follow], and returns what pg_rewind said. It says that there is
// nothing to do, and does nothing, when the other was promoted and made no
// checkpoint since. A cluster that was rewound must not be rewound again before
// it followed: pg_rewind would first recover it, and so write a history of its
// own into the timeline of the other.
func (c *Cluster) Rewind(from *Cluster) string {
	c.t.Helper()
	out, err := c.place.run(c.dir, "pg_rewind", "--target-pgdata="+c.data(), "--source-server="+from.conninfo("rewind")+" dbname=postgres", "--no-sync")
	c.must(err)
	return out
}

// wait waits until something has happened.
func (c *Cluster) wait(what string, happened func() (bool, error)) {
	c.t.Helper()
	var last error
	if !within(func() bool {
		var ok bool
		ok, last = happened()
		return ok
	}) {
		c.t.Fatalf("pgtest: waited in vain for %s (%v)", what, last)
	}
}
