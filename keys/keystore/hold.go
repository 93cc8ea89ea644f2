package keystore

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/odziv/odziv/internal/filelock"
)

// LockSuffix is appended to the path of a keystore to name the empty file that is
// held while it is replaced.
const LockSuffix = ".lock"

// hold keeps other programs from replacing the keystore at path until release is
// called. It waits for them, which takes milliseconds: whoever holds the lock has
// done its scrypt before. On a medium that knows no locks (some network shares)
// nothing is held: two programs that save within the same milliseconds could lose
// an epoch there, which the exchange still has, wrapped for the officer.
func hold(path string) (release func(), err error) {
	const pause, tries = 20 * time.Millisecond, 500
	for range tries {
		f, err := filelock.Take(path + LockSuffix)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case errors.Is(err, syscall.EROFS):
			return nil, fmt.Errorf("%w: %s", ErrReadOnly, filepath.Dir(path))
		case unsupported(err):
			return func() {}, nil
		case !errors.Is(err, filelock.ErrHeld):
			return nil, err
		}
		time.Sleep(pause)
	}
	return nil, fmt.Errorf("%w: %s", ErrBusy, path)
}
