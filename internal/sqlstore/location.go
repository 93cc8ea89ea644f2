package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// scheme begins the name of an SQLite database; the rest is a path, taken
// literally.
const scheme = "sqlite:"

// companions are the files SQLite keeps beside a database. One that was left
// behind would be played into a new database of the same name.
var companions = []string{"-wal", "-shm", "-journal"}

// parsePath returns the absolute path that dsn names.
func parsePath(dsn string) (string, error) {
	path, ok := strings.CutPrefix(dsn, scheme)
	if !ok {
		before, _, _ := strings.Cut(dsn, ":")
		return "", fmt.Errorf("sqlstore: database name begins with %.20q, want %q and a path", before, scheme)
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("sqlstore: %q is followed by no path", scheme)
	}
	if path == ":memory:" {
		return "", errors.New("sqlstore: a ledger in memory would be lost; name a file")
	}
	return filepath.Abs(path)
}

// uri spells the path so that no character of it has a meaning for SQLite.
// mode=rw opens what exists and never creates.
func uri(path string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "mode=rw"}
	return u.String()
}

// leastFile is the size of the smallest page of SQLite, in bytes. It would take
// a shorter file for an empty database and write over it.
const leastFile = 512

// checkThere wants an ordinary file. It does not open it: closing a second
// handle would drop the locks that this process holds (POSIX.1 fcntl).
func checkThere(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlstore: %w: %w", ErrNoFile, err)
	}
	if err != nil {
		return fmt.Errorf("sqlstore: %w: %w", ErrReadOnly, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("sqlstore: %s: %w: not a file", path, ErrNoFile)
	}
	if info.Size() > 0 && info.Size() < leastFile {
		return fmt.Errorf("sqlstore: %s: %w: %d bytes", path, ErrDamaged, info.Size())
	}
	if info.Size() == 0 {
		return fmt.Errorf("sqlstore: %s: %w: the file is empty; remove it before init", path, ErrNoFile)
	}
	return nil
}

// claim creates an empty file that only its owner may read, and fails if there
// is anything of that name, or anything SQLite would take for part of it.
func claim(path string) error {
	for _, c := range append([]string{""}, companions...) {
		if _, err := os.Lstat(path + c); err == nil {
			return fmt.Errorf("sqlstore: %s: %w", path+c, ErrExists)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("sqlstore: %w: %w", ErrExists, err)
	}
	if err != nil {
		return fmt.Errorf("sqlstore: create database: %w", err)
	}
	return errors.Join(f.Close(), syncFolder(path))
}

// syncFolder makes the name of a new file survive a power loss.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// unclaim removes what a failed Create made.
func unclaim(path string) {
	for _, c := range append([]string{""}, companions...) {
		_ = os.Remove(path + c) // the error that matters is already being returned
	}
}
