package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The roles of a ledger. They belong to the whole server, so that several
// databases share them.
const (
	roleOwner  = "odziv_owner"  // owns everything and cannot log in
	roleAPI    = "odziv_api"    // what a server is nearly always
	roleEraser = "odziv_eraser" // what a server is while it erases
	roleAudit  = "odziv_audit"  // reads the ledger and what is derived from it
)

var roles = []string{roleOwner, roleAPI, roleEraser, roleAudit}

// schemaLock is the advisory lock of whoever changes the schema, in its database.
const schemaLock = "SELECT pg_advisory_xact_lock(7311, 1)"

// oldestServer is the least version of the server, as server_version_num.
const oldestServer = 140000

// postgresMigrations are those of this program.
func postgresMigrations() []migration {
	list, err := readMigrations(schemas, "schema/postgres")
	if err != nil {
		panic(err) // the files are part of the program
	}
	return list
}

func openPostgres(ctx context.Context, dsn string, l limits) (*Store, error) {
	e, err := openDriver(dsn, l)
	if err != nil {
		return nil, err
	}
	s := storeOn(e, besides)
	if err := e.bringUpToDate(ctx, s, postgresMigrations()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func createPostgres(ctx context.Context, dsn string) (*Store, error) {
	e, err := openDriver(dsn, patient)
	if err != nil {
		return nil, err
	}
	err = errors.Join(e.asLogin(ctx, func(c *conn) error { return e.install(ctx, c, postgresMigrations()) }), e.close())
	if err != nil {
		return nil, err
	}
	return openPostgres(ctx, dsn, serving)
}

func migratePostgres(ctx context.Context, dsn string) error {
	e, err := openDriver(dsn, patient)
	if err != nil {
		return err
	}
	err = e.asLogin(ctx, func(c *conn) error { return e.upgrade(ctx, c, postgresMigrations()) })
	return errors.Join(err, e.close())
}

// bringUpToDate looks at the schema as the server, and changes it, if need be, as
// the login.
func (e *postgresEngine) bringUpToDate(ctx context.Context, s *Store, all []migration) error {
	var seen []migration
	err := s.onWriter(ctx, func(c *conn) (err error) {
		seen, err = c.readVersions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := checkVersions(seen, all); err != nil || len(seen) == len(all) {
		return err
	}
	return e.asLogin(ctx, func(c *conn) error { return e.upgrade(ctx, c, all) })
}

// asLogin runs f on a connection of its own that has the login's rights.
func (e *postgresEngine) asLogin(ctx context.Context, f func(*conn) error) error {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer c.discard()
	if err := c.run(ctx, "SET search_path TO odziv, pg_temp; SET client_min_messages TO warning; SET synchronous_commit TO on; SET statement_timeout TO 0; SET lock_timeout TO "+ms(lockTimeout)); err != nil {
		return err
	}
	return f(c)
}

// run executes statements without arguments.
func (c *conn) run(ctx context.Context, statements string) error {
	_, err := c.raw.ExecContext(ctx, statements)
	return failed(doing(statements), err)
}

// is asks a question about the database.
func (c *conn) is(ctx context.Context, question string, args ...any) (yes bool, err error) {
	err = c.raw.QueryRowContext(ctx, question, args...).Scan(&yes)
	return yes, failed("look at the database", err)
}

// install makes roles and schema where there are none.
func (e *postgresEngine) install(ctx context.Context, c *conn, all []migration) error {
	return e.inTransaction(ctx, c, func() error {
		if err := c.checkServer(ctx); err != nil {
			return err
		}
		full, err := c.is(ctx, "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('odziv'))")
		if err != nil {
			return err
		}
		if full {
			return fmt.Errorf("sqlstore: %w: the schema odziv holds tables", ErrExists)
		}
		if err := c.makeRoles(ctx); err != nil {
			return err
		}
		there, err := c.is(ctx, "SELECT to_regnamespace('odziv') IS NOT NULL")
		if err != nil {
			return err
		}
		if !there {
			if err := c.run(ctx, "CREATE SCHEMA odziv AUTHORIZATION "+roleOwner); err != nil {
				return err
			}
		}
		if err := c.run(ctx, "SET LOCAL ROLE "+roleOwner); err != nil {
			return err
		}
		if err := c.run(ctx, versionTable); err != nil {
			return err
		}
		return c.apply(ctx, all)
	})
}

// checkServer refuses a database that would keep text otherwise, or too old a
// server.
func (c *conn) checkServer(ctx context.Context) error {
	var version int
	var encoding string
	const query = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')"
	if err := c.raw.QueryRowContext(ctx, query).Scan(&version, &encoding); err != nil {
		return failed("look at the server", err)
	}
	if version < oldestServer {
		return fmt.Errorf("sqlstore: PostgreSQL %d is too old, want 14 or newer: %w", version/10000, ErrSchema)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("sqlstore: the database keeps text as %s, want UTF8: %w", encoding, ErrSchema)
	}
	return nil
}

// makeRoles makes those roles that are missing and makes the login a member of
// those it lacks. Another database may be making them at the same moment.
func (c *conn) makeRoles(ctx context.Context) error {
	for _, r := range roles {
		there, err := c.is(ctx, "SELECT to_regrole($1) IS NOT NULL", r)
		if err != nil {
			return err
		}
		if !there {
			err := c.run(ctx, "DO $$ BEGIN CREATE ROLE "+r+" NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
			if err != nil {
				return err
			}
		}
		if r == roleAudit {
			continue // the login has no use for it
		}
		member, err := c.is(ctx, "SELECT pg_has_role(current_user, $1, 'MEMBER')", r)
		if err != nil {
			return err
		}
		if !member {
			if err := c.run(ctx, "GRANT "+r+" TO CURRENT_USER"); err != nil {
				return err
			}
		}
	}
	return nil
}

// upgrade runs the migrations that the database has not seen, as the owner.
func (e *postgresEngine) upgrade(ctx context.Context, c *conn, all []migration) error {
	return e.inTransaction(ctx, c, func() error {
		if err := c.run(ctx, "SET LOCAL ROLE "+roleOwner); err != nil {
			if errors.Is(err, ErrForbidden) {
				return fmt.Errorf("sqlstore: %w", ErrOutdated)
			}
			return err
		}
		seen, err := c.readVersions(ctx)
		if err != nil {
			return err
		}
		if err := checkVersions(seen, all); err != nil {
			return err
		}
		return c.apply(ctx, all[len(seen):])
	})
}

// inTransaction runs f alone: of two programs that start together one migrates
// and the other then finds it done.
func (e *postgresEngine) inTransaction(ctx context.Context, c *conn, f func() error) error {
	if err := c.run(ctx, "BEGIN; "+schemaLock); err != nil {
		return err
	}
	if err := f(); err != nil {
		return errors.Join(err, c.run(context.WithoutCancel(ctx), "ROLLBACK"))
	}
	if err := e.commit(c); err != nil {
		return fmt.Errorf("%w; %w", failed("commit the schema", err), ErrOutcome)
	}
	return nil
}

// SchemaText is the schema of PostgreSQL as one text of SQL, for an administrator
// who wants to read what init and migrate run, and as whom.
func SchemaText() string {
	var b strings.Builder
	for _, r := range roles {
		fmt.Fprintf(&b, "CREATE ROLE %s NOLOGIN;\n", r)
	}
	fmt.Fprintf(&b, "CREATE SCHEMA odziv AUTHORIZATION %s;\nSET ROLE %s;\nSET search_path TO odziv, pg_temp;\n%s;\n", roleOwner, roleOwner, versionTable)
	for _, m := range postgresMigrations() {
		fmt.Fprintf(&b, "\n%s\nINSERT INTO schema_version (version, digest) VALUES (%d, '%s');\n", strings.TrimSpace(m.script), m.version, m.digest)
	}
	b.WriteString("\nRESET ROLE;\nRESET search_path;\n")
	return b.String()
}
