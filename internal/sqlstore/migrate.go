package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

//go:embed schema/sqlite/*.sql schema/postgres/*.sql
var schemas embed.FS

// A migration is one numbered file. It is run once and never again, in the
// order of the numbers; a file that a database has seen is never edited.
type migration struct {
	version int
	script  string
	digest  string // hex SHA-256 of the script
}

const versionTable = `CREATE TABLE schema_version (
    version INTEGER NOT NULL PRIMARY KEY,
    digest  TEXT    NOT NULL
)`

// migrations are those of this program.
func migrations() []migration {
	list, err := readMigrations(schemas, "schema/sqlite")
	if err != nil {
		panic(err) // the files are part of the program
	}
	return list
}

// readMigrations reads NNNN_word.sql files, numbered from 1 without a gap.
func readMigrations(files fs.FS, folder string) ([]migration, error) {
	names, err := fs.Glob(files, folder+"/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, name := range names {
		script, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		base := name[len(folder)+1:]
		n, err := strconv.Atoi(base[:min(4, len(base))])
		if err != nil || n != i+1 {
			return nil, fmt.Errorf("sqlstore: migration %q where number %04d is next", base, i+1)
		}
		sum := sha256.Sum256(script)
		list = append(list, migration{n, string(script), hex.EncodeToString(sum[:])})
	}
	return list, nil
}

// install makes the schema in a database that must be empty.
func install(ctx context.Context, c *conn, all []migration) error {
	if err := c.useLog(ctx); err != nil {
		return err
	}
	return c.inTransaction(ctx, func() error {
		var tables int
		if err := c.raw.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
			return failed("look for tables", err)
		}
		if tables != 0 {
			return fmt.Errorf("sqlstore: %w: the file has tables", ErrExists)
		}
		if _, err := c.raw.ExecContext(ctx, versionTable); err != nil {
			return failed("create the table of versions", err)
		}
		return c.apply(ctx, all)
	})
}

// upgrade runs the migrations that the database has not seen. A file that is
// something else it leaves as it is.
func upgrade(ctx context.Context, c *conn, all []migration) error {
	err := c.inTransaction(ctx, func() error {
		seen, err := c.versions(ctx)
		if err != nil {
			return err
		}
		if err := checkVersions(seen, all); err != nil {
			return err
		}
		return c.apply(ctx, all[len(seen):])
	})
	if err != nil {
		return err
	}
	return c.useLog(ctx)
}

// checkVersions wants what was run to be a beginning of what there is.
func checkVersions(seen, all []migration) error {
	if len(seen) == 0 {
		return fmt.Errorf("sqlstore: %w: it holds no ledger", ErrSchema)
	}
	if len(seen) > len(all) {
		return fmt.Errorf("sqlstore: %w: it has version %d, this program knows up to %d", ErrSchema, len(seen), len(all))
	}
	for i, s := range seen {
		if s.version != i+1 || s.digest != all[i].digest {
			return fmt.Errorf("sqlstore: %w: version %d was made by another program", ErrSchema, s.version)
		}
	}
	return nil
}

func (c *conn) versions(ctx context.Context) (seen []migration, err error) {
	var tables int
	err = c.raw.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'").Scan(&tables)
	if err != nil || tables == 0 {
		return nil, failed("look for the schema", err)
	}
	return c.readVersions(ctx)
}

func (c *conn) readVersions(ctx context.Context) (seen []migration, err error) {
	rows, err := c.raw.QueryContext(ctx, "SELECT version, digest FROM schema_version ORDER BY version")
	if err != nil {
		return nil, failed("read the schema's version", err)
	}
	return seen, scanAll(rows, func() error {
		var m migration
		err := rows.Scan(&m.version, &m.digest)
		seen = append(seen, m)
		return err
	})
}

func scanAll(rows *sql.Rows, f func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *conn) apply(ctx context.Context, list []migration) error {
	for _, m := range list {
		if _, err := c.raw.ExecContext(ctx, m.script); err != nil {
			return failed(fmt.Sprintf("migration %d", m.version), err)
		}
		_, err := c.raw.ExecContext(ctx, "INSERT INTO schema_version (version, digest) VALUES ($1, $2)", m.version, m.digest)
		if err != nil {
			return failed("note the schema's version", err)
		}
	}
	return nil
}

// inTransaction runs f under the write lock, so that two programs that start
// together do not both migrate.
func (c *conn) inTransaction(ctx context.Context, f func() error) error {
	if _, err := c.raw.ExecContext(ctx, beginWrite); err != nil {
		return failed("lock the database", err)
	}
	if err := f(); err != nil {
		_, undo := c.raw.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	if _, err := c.raw.ExecContext(ctx, "COMMIT"); err != nil {
		return failed("commit the schema", err)
	}
	return nil
}
