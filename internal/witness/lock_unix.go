//go:build unix

package witness

import (
	"os"
	"syscall"
)

// lockFile holds a file for this program until it is closed, or killed.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
