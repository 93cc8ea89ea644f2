package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// isPostgres reports whether a database is named as one of PostgreSQL:
//
//	postgres://LOGIN[:PASSWORD]@HOST[:PORT]/DATABASE[?PARAMETERS]
//
// The parameters are those of lib/pq. Several servers of which one is the
// primary are given as ?host=a,b&port=5432,5432. Where sslmode is not given the
// server must prove its name (verify-full), unless it is on this machine. The
// three time limits of a session may be set by the names PostgreSQL gives them.
func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// limits are how long PostgreSQL lets a session wait and work. 0: for ever.
type limits struct {
	statement time.Duration // one statement
	lock      time.Duration // waiting for the section or for a row
	idle      time.Duration // the section held while nothing is asked: whoever stalls loses it
	reading   time.Duration // the same for a snapshot, which holds up nobody
	silence   time.Duration // no answer at all: the server is taken for dead
}

var (
	serving = limits{statement: 5 * time.Second, lock: lockTimeout, idle: 3 * time.Second, reading: time.Minute, silence: 30 * time.Second}
	patient = limits{}
)

// connectTimeout bounds the making of a connection, for each host.
const connectTimeout = 5 * time.Second

// besides is how many transactions beside the section may run at once.
const besides = 4

// postgresEngine keeps the tables in the schema odziv of a database.
type postgresEngine struct {
	db     *sql.DB
	limits limits
	given  map[string]bool // settings that the name of the database gives
}

// openDriver makes the engine; nothing is connected yet. Its errors do not
// repeat the name, which may hold a password.
func openDriver(dsn string, l limits) (*postgresEngine, error) {
	cfg, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	given := map[string]bool{}
	for name := range cfg.Runtime {
		given[name] = true
	}
	connector, err := pq.NewConnectorConfig(cfg)
	if err != nil {
		return nil, errName
	}
	connector.Dialer(dialer{silence: l.silence})
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(-1) // connections are kept by the pools
	return &postgresEngine{db: db, limits: l, given: given}, nil
}

var errName = fmt.Errorf("sqlstore: %w", ErrName)

// configure reads the name of a database and fills in what is safe.
func configure(dsn string) (pq.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil || strings.Contains(u.Host, ",") && strings.Contains(u.Host, ":") { // lib/pq would look for a host "a:5432"
		return pq.Config{}, errName
	}
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return pq.Config{}, errName
	}
	if cfg.Database == "" {
		return pq.Config{}, errName
	}
	if !u.Query().Has("sslmode") && os.Getenv("PGSSLMODE") == "" && cfg.SSLMode != pq.SSLModeDisable {
		cfg.SSLMode = pq.SSLModeVerifyFull
		if isHere(cfg) {
			cfg.SSLMode = pq.SSLModePrefer
		}
	}
	if cfg.TargetSessionAttrs == "" {
		cfg.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite // never a standby, nor a primary that became one
	}
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "odziv"
	}
	if cfg.ConnectTimeout <= 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	cfg.BinaryParameters = true // bytes as they are and not in hex
	return cfg, nil
}

// isHere reports whether every host is this machine.
func isHere(cfg pq.Config) bool {
	hosts := []string{cfg.Host}
	for _, m := range cfg.Multi {
		hosts = append(hosts, m.Host)
	}
	for _, h := range hosts {
		ip := net.ParseIP(h)
		if h != "localhost" && !strings.HasPrefix(h, "/") && !strings.HasPrefix(h, "@") && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// connect implements engine.
func (e *postgresEngine) connect(ctx context.Context, r role) (*conn, error) {
	c, err := e.dial(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.raw.ExecContext(ctx, "SET ROLE odziv_api; "+e.settings(r)); err != nil {
		c.discard()
		if pq.As(err, pqerror.InvalidParameterValue) != nil { // no such role
			return nil, fmt.Errorf("sqlstore: begin a session: %w: %w", ErrNoFile, err)
		}
		return nil, failed("begin a session", err)
	}
	return c, nil
}

// dial connects as the login itself.
func (e *postgresEngine) dial(ctx context.Context) (*conn, error) {
	raw, err := e.db.Conn(ctx)
	if err != nil {
		return nil, failed("connect", err)
	}
	c := &conn{raw: raw, engine: e, stmts: map[string]*sql.Stmt{}, later: newLater()}
	err = raw.Raw(func(dc any) error {
		pq.SetNoticeHandler(dc.(driver.Conn), func(n *pq.Error) { c.warning = n })
		return nil
	})
	if err != nil {
		c.discard()
		return nil, failed("connect", err)
	}
	return c, nil
}

// settings are those of a session, as statements: a pooler passes few of them on
// in the first message of a connection.
func (e *postgresEngine) settings(r role) string {
	idle := e.limits.idle
	if r == reading {
		idle = e.limits.reading
	}
	set := map[string]string{
		"search_path":                         "odziv, pg_temp",
		"client_min_messages":                 "warning",
		"standard_conforming_strings":         "on",
		"default_transaction_isolation":       "'read committed'", // a writer sees what was committed before it got the lock
		"default_transaction_deferrable":      "off",
		"statement_timeout":                   ms(e.limits.statement),
		"lock_timeout":                        ms(e.limits.lock),
		"idle_in_transaction_session_timeout": ms(idle),

		// Every question has its index. Without statistics, as after a restore, the
		// planner would doubt it; and one plan serves all values.
		"plan_cache_mode":   "force_generic_plan",
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",
		"jit":               "off",
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !e.given[name] {
			fmt.Fprintf(&text, "SET %s TO %s; ", name, set[name])
		}
	}
	// An answer follows the flush, here and on a synchronous standby: never less.
	text.WriteString(`SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')`)
	return text.String()
}

func ms(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// close implements engine.
func (e *postgresEngine) close() error { return e.db.Close() }

// Durable reports what of the database's settings would lose an acknowledged
// write when the power fails: an error that wraps [ErrNotDurable], or nil.
func (s *Store) Durable(ctx context.Context) error {
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return nil // was set on the connection
	}
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer c.discard()
	for _, name := range []string{"fsync", "full_page_writes"} {
		var value string
		if err := c.raw.QueryRowContext(ctx, "SHOW "+name).Scan(&value); err != nil {
			return failed("read the settings", err)
		}
		if value != "on" {
			return fmt.Errorf("sqlstore: %s is %s: %w", name, value, ErrNotDurable)
		}
	}
	return nil
}
