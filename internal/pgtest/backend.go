package pgtest

import (
	"context"
	"database/sql"
	"syscall"
)

// A Backend is the process of the server behind one connection.
type Backend struct {
	PID         int
	Database    string
	Application string
	State       string // active, idle, idle in transaction, …
	Query       string // the last one
	Waiting     bool   // for a lock
	Blocking    int    // how many others wait for a lock of its
}

// Backends are the clients' connections to a database, except the one that asks.
func (c *Cluster) Backends(database string) []Backend {
	c.t.Helper()
	db, err := sql.Open("postgres", c.socket("postgres", "postgres"))
	c.must(err)
	defer db.Close()
	rows, err := db.QueryContext(context.Background(), `
		SELECT a.pid, a.datname, a.application_name, coalesce(a.state, ''), a.query, coalesce(a.wait_event_type, '') = 'Lock',
			(SELECT count(*) FROM pg_stat_activity b WHERE a.pid = ANY (pg_blocking_pids(b.pid)))
		FROM pg_stat_activity a WHERE a.datname = $1 AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() ORDER BY a.pid`, database)
	c.must(err)
	defer rows.Close()
	var list []Backend
	for rows.Next() {
		var b Backend
		c.must(rows.Scan(&b.PID, &b.Database, &b.Application, &b.State, &b.Query, &b.Waiting, &b.Blocking))
		list = append(list, b)
	}
	c.must(rows.Err())
	return list
}

// Pause stops a backend wherever it is, with whatever lock it holds, until
// [Cluster.Resume].
func (c *Cluster) Pause(pid int) { c.t.Helper(); c.must(tell(pid, syscall.SIGSTOP)) }

// Resume lets a paused backend go on.
func (c *Cluster) Resume(pid int) { c.t.Helper(); c.must(tell(pid, syscall.SIGCONT)) }
