package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrBackup says that a database is not copied by this program.
var ErrBackup = &Failure{"PostgreSQL makes its own backups", "use pg_basebackup with continuous archiving, or pg_dump; docs/operator.md says how"}

// Backup writes a copy of the embedded database to a new file, for its owner
// alone, while servers work on it: the copy is what one snapshot saw. It returns
// when the copy would survive a power loss.
func Backup(ctx context.Context, dsn, file string) (err error) {
	if isPostgres(dsn) {
		return ErrBackup
	}
	path, err := parsePath(dsn)
	if err != nil {
		return err
	}
	if err := checkThere(path); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // VACUUM INTO fills an empty file
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeThere(file), removeThere(file+"-journal"))
		}
	}()
	s := newStore(path, lockTimeout)
	err = s.onWriter(ctx, func(c *conn) error {
		if _, err := c.raw.ExecContext(ctx, "VACUUM INTO ?", file); err != nil {
			return failed("write the backup", err)
		}
		return nil
	})
	if err = errors.Join(err, s.Close()); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close(), syncFolder(file))
}

func removeThere(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlstore: remove what was begun: %w", err)
	}
	return nil
}
