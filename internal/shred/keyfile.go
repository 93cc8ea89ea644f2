package shred

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// KeyFile is a [PeriodWrapper] whose key lies in a file of 32 bytes, for a
// server without a Vault. Whoever reads that file and the database reads every
// period key: keep the two apart, in backups too.
type KeyFile struct{ key Key }

// InitKeyFile creates the file with a fresh key and mode 0600. It never
// replaces one: nothing wrapped under a lost key comes back.
func InitKeyFile(path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("shred: init key file: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(path)
			err = fmt.Errorf("shred: init key file: %w", err)
		}
	}()
	key := NewKey()
	_, err = f.Write(key.secret()[:])
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil && runtime.GOOS != "windows" { // where a directory cannot be synced
		err = syncDir(filepath.Dir(path))
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenKeyFile reads the file. It refuses one of another size and, where the
// system knows modes, one that anybody but its owner may read or write.
func OpenKeyFile(path string) (*KeyFile, error) {
	key, err := readKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("shred: open key file: %w", err)
	}
	return &KeyFile{key}, nil
}

func readKeyFile(path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Key{}, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return Key{}, fmt.Errorf("%s has mode %#o, want 0600", path, mode)
	}
	secret, err := io.ReadAll(io.LimitReader(f, KeySize+1))
	if err != nil {
		return Key{}, err
	}
	defer clear(secret)
	return ParseKey(secret)
}

// WrapPeriod encrypts a period key: 60 bytes, bound to the period's id.
func (w *KeyFile) WrapPeriod(_ context.Context, p Period) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("shred: wrap period: %w", err)
	}
	if p.Key.IsZero() {
		return nil, errors.New("shred: wrap period: no key")
	}
	wrapped, err := w.key.sealBox(p.Key.secret()[:], bind(periodLabel, p.ID))
	if err != nil {
		return nil, fmt.Errorf("shred: wrap period: %w", err)
	}
	return wrapped, nil
}

// UnwrapPeriod is the inverse of WrapPeriod.
func (w *KeyFile) UnwrapPeriod(_ context.Context, id string, wrapped []byte) (Period, error) {
	p := Period{ID: id}
	if err := p.check(); err != nil {
		return Period{}, fmt.Errorf("shred: unwrap period: %w", err)
	}
	secret, err := w.key.openBox(wrapped, bind(periodLabel, id))
	if err != nil {
		return Period{}, fmt.Errorf("shred: unwrap period: %w", err)
	}
	p.Key, err = ParseKey(secret)
	return p, err
}
