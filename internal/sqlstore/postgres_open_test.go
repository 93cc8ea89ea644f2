package sqlstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lib/pq"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
)

// TestConfigure: what the name of a database leaves out is filled in on the safe
// side, and what it says is kept.
func TestConfigure(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE"} {
		t.Setenv(name, "") // put back afterwards
		os.Unsetenv(name)
	}
	for dsn, want := range map[string]pq.SSLMode{
		"postgres://u@db.example.rs/odziv":                                         pq.SSLModeVerifyFull,
		"postgresql://u@10.0.0.1/odziv":                                            pq.SSLModeVerifyFull,
		"postgres://u@db.example.rs/odziv?sslmode=verify-ca":                       pq.SSLModeVerifyCA,
		"postgres://u@db.example.rs/odziv?sslmode=disable":                         pq.SSLModeDisable,
		"postgres://u@localhost/odziv":                                             pq.SSLModePrefer,
		"postgres://u@127.0.0.1:5433/odziv":                                        pq.SSLModePrefer,
		"postgres://u@[::1]:5432/odziv":                                            pq.SSLModePrefer,
		"postgres://u@/odziv?host=/run/postgresql":                                 pq.SSLModeDisable,
		"postgres://u@/odziv?host=127.0.0.1,db.example.rs&port=5432,5433":          pq.SSLModeVerifyFull,
		"postgres://u@/odziv?host=127.0.0.1,localhost&port=5432,5433":              pq.SSLModePrefer,
		"postgres://u@127.0.0.1.example.rs/odziv":                                  pq.SSLModeVerifyFull,
		"postgres://u@db.example.rs/odziv?target_session_attrs=any&sslmode=prefer": pq.SSLModePrefer,
	} {
		cfg, err := configure(dsn)
		if err != nil || cfg.SSLMode != want || cfg.ConnectTimeout <= 0 || !cfg.BinaryParameters || cfg.ApplicationName == "" {
			t.Errorf("%s: sslmode %q, %v, want %q", dsn, cfg.SSLMode, err, want)
		}
		primary := pq.TargetSessionAttrsReadWrite
		if strings.Contains(dsn, "=any") {
			primary = pq.TargetSessionAttrsAny
		}
		if cfg.TargetSessionAttrs != primary {
			t.Errorf("%s: target %q", dsn, cfg.TargetSessionAttrs)
		}
	}
	for _, dsn := range []string{"postgres://", "postgres://u:se/cret@h/d", "postgres://u:se%cret@h/d", "postgres://u:secret@h:port/d", "postgres://u:secret@h/",
		"postgres://u:secret@h/d?sslmode=none", "postgres://u:secret@h/d?client_encoding=LATIN1", "postgres://u:secret@h/d?connect_timeout=x", "postgres://u:secret@a:1,b:2/d"} {
		_, err := Open(context.Background(), dsn)
		wantFailure(t, dsn, err, ErrName)
		if err != nil && (strings.Contains(err.Error(), "cret") || strings.Contains(err.Error(), "port")) {
			t.Errorf("%s: the error repeats the name: %v", dsn, err)
		}
	}
}

// TestErrorsKeepPasswords: no failure to connect tells the password.
func TestErrorsKeepPasswords(t *testing.T) {
	ctx := context.Background()
	dsn := pgtest.Shared(t).Database(t)
	closedPort, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closedPort.Addr().String()
	closedPort.Close()
	for _, name := range []string{strings.Replace(dsn, pgtest.Password, "se-cret", 1), "postgres://u:se-cret@" + address + "/d",
		"postgres://u:se-cret@no-such-host.invalid/d"} {
		for _, open := range []func(context.Context, string) (*Store, error){Open, Create, OpenPatient} {
			_, err := open(ctx, name)
			if err == nil || strings.Contains(err.Error(), "se-cret") {
				t.Errorf("%v", err)
			}
		}
	}
}

// TestSession looks at the settings in force, on every kind of connection.
func TestSession(t *testing.T) {
	ctx := context.Background()
	dsn := servedOn(t, pgtest.Shared(t).Database(t)).dsn
	pgtest.Shared(t).Exec(pgtest.NameOf(dsn), "ALTER DATABASE "+pgtest.NameOf(dsn)+" SET synchronous_commit = off")
	pgtest.Shared(t).Exec(pgtest.NameOf(dsn), "ALTER DATABASE "+pgtest.NameOf(dsn)+" SET default_transaction_isolation = 'serializable'")
	show := func(s *Store, p *pool, name string) (value string) {
		c, err := p.take(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer p.give(c)
		if err := c.raw.QueryRowContext(ctx, "SHOW "+name).Scan(&value); err != nil {
			t.Error(err)
		}
		return value
	}
	for _, c := range []struct {
		open   func(context.Context, string) (*Store, error)
		more   string
		writer map[string]string
	}{
		{Open, "", map[string]string{"statement_timeout": "5s", "lock_timeout": "8s", "idle_in_transaction_session_timeout": "3s"}},
		{Open, "&statement_timeout=2s&synchronous_commit=remote_apply", map[string]string{"statement_timeout": "2s", "lock_timeout": "8s", "synchronous_commit": "remote_apply"}},
		{OpenPatient, "", map[string]string{"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}},
	} {
		s, err := c.open(ctx, dsn+c.more)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*pool{s.writer, s.beside, s.reader} {
			want := map[string]string{"role": "odziv_api", "search_path": "odziv, pg_temp", "synchronous_commit": "on", "application_name": "odziv",
				"default_transaction_isolation": "read committed", "standard_conforming_strings": "on", "client_encoding": "UTF8"}
			for name, value := range c.writer {
				want[name] = value
			}
			if p == s.reader {
				delete(want, "idle_in_transaction_session_timeout")
			}
			for name, value := range want {
				if got := show(s, p, name); got != value {
					t.Errorf("%s: %s, want %s", name, got, value)
				}
			}
		}
		err = s.snapshot(ctx, func(v *view) error {
			_, err := v.exec(ctx, "DELETE FROM last")
			return err
		})
		wantFailure(t, "write through a reader", err, ErrReadOnly)
		err = s.transact(ctx, s.writer, section, func(tx *tx) error {
			var after string
			_, err := tx.row(ctx, "SHOW statement_timeout", nil, &after)
			if want := c.writer["statement_timeout"]; after != want {
				t.Errorf("within the section a statement may take %s, want %s", after, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		closed(t, s)
	}
}

// TestStates: what PostgreSQL answers has a kind that says what to do.
func TestStates(t *testing.T) {
	for state, want := range map[string]*Failure{"53100": ErrFull, "55P03": ErrBusy, "57014": ErrBusy, "40P01": ErrBusy, "25006": ErrReadOnly,
		"57P01": ErrUnreachable, "57P03": ErrUnreachable, "08006": ErrUnreachable, "53300": ErrUnreachable, "XX001": ErrDamaged, "XX002": ErrDamaged,
		"23505": ErrRefused, "23514": ErrRefused, "23502": ErrRefused, "23000": ErrRefused, "42501": ErrForbidden, "28P01": ErrLogin, "28000": ErrLogin,
		"3D000": ErrNoFile, "58030": ErrDisk, "42601": nil, "": nil, "21000": nil} {
		if got := kindOfState(state); got != want {
			t.Errorf("SQLSTATE %s: %v, want %v", state, got, want)
		}
	}
	for _, err := range []error{syscall.ECONNREFUSED, &net.OpError{Op: "read", Err: syscall.ECONNRESET}, fmt.Errorf("x: %w", &net.DNSError{})} {
		if got := kindOf(err); got != ErrUnreachable {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestPostgresPlans: no question goes through a table, with no statistics and with
// empty tables.
func TestPostgresPlans(t *testing.T) {
	ctx := context.Background()
	r := newServed(t)
	var asked []string
	questions := func(c *conn) {
		for query := range c.stmts {
			if strings.HasPrefix(query, "SELECT") && !strings.Contains(query, "covered") {
				asked = append(asked, query)
			}
		}
	}
	err := r.snapshot(ctx, func(v *view) error {
		askAll(ctx, t, v)
		questions(v.conn)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = r.transact(ctx, r.writer, section, func(tx *tx) error {
		some := []string{"a", "b", "c"}
		_, err := tx.Gather(ctx, &exchange.Wanted{Statements: some, Last: some, Uploads: some, Messages: some, Opened: some,
			Obligations: some, Desks: some, Cases: some, Excluded: some})
		questions(tx.conn)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) < 50 {
		t.Fatalf("only %d questions", len(asked))
	}
	err = r.onWriter(ctx, func(c *conn) error {
		for i, query := range append(asked, asides...) {
			steps, err := explain(ctx, c, fmt.Sprint("p", i), query)
			if err != nil {
				t.Errorf("%s: %v", query, err)
			}
			for _, step := range steps {
				if strings.Contains(step, "Seq Scan") && !strings.Contains(step, "Seq Scan on head") {
					t.Errorf("%s\n\t%s", query, step)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// explain asks for the plan that a session keeps for a statement.
func explain(ctx context.Context, c *conn, name, query string) (steps []string, err error) {
	if _, err := c.raw.ExecContext(ctx, "PREPARE "+name+" AS "+query); err != nil {
		return nil, err
	}
	var n int
	if err := c.raw.QueryRowContext(ctx, "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '"+name+"'").Scan(&n); err != nil {
		return nil, err
	}
	args := ""
	if n > 0 {
		args = "(" + strings.Join(slices.Repeat([]string{"NULL"}, n), ",") + ")"
	}
	rows, err := c.raw.QueryContext(ctx, "EXPLAIN EXECUTE "+name+args)
	if err != nil {
		return nil, err
	}
	return steps, scanAll(rows, func() error {
		var step string
		err := rows.Scan(&step)
		steps = append(steps, step)
		return err
	})
}

// TestManyHandles asks about many cases at once.
func TestManyHandles(t *testing.T) {
	ctx := context.Background()
	for _, s := range []*Store{newRaw(t).Store, newServed(t).Store} {
		cases := make([]string, maxCases)
		for i := range cases {
			cases[i] = id("c_", i)
		}
		err := s.Write(ctx, func(tx exchange.Tx) error {
			return tx.PutParty(ctx, cases[4000], exchange.PartyRow{Desk: "d", Inst: "i"})
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Read(ctx, func(v exchange.View) error {
			if ok, err := v.Party(ctx, cases, "i"); !ok || err != nil {
				t.Errorf("party: %v, %v", ok, err)
			}
			if _, err := v.Party(ctx, append(cases, "one more"), "i"); err == nil {
				t.Error("more cases than are allowed: accepted")
			}
			_, err := v.Party(ctx, []string{"bad\x00"}, "i")
			if err == nil {
				t.Error("a NUL in a list: accepted")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
