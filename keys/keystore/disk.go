package keystore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// step is where a test stops or fails the program: before each step that changes
// a medium.
var step = func(name, path string) error { return nil }

// writeFile replaces path by a file with that content and mode 0600: written
// beside it, synced, renamed, and the rename synced. It asks the file system for
// nothing that a USB stick lacks: no links, no modes that hold, no locks.
func writeFile(path string, content []byte) error {
	err := replaceFile(path, content)
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %s", ErrReadOnly, filepath.Dir(path))
	}
	return err
}

func replaceFile(path string, content []byte) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	if err := step("create", path); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, name+".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err = step("write", path); err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = errors.Join(step("sync", path), f.Sync())
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = step("rename", path)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = errors.Join(step("sync folder", path), syncDir(dir))
	}
	return err
}

// syncDir makes a rename last. Where a file system cannot sync a folder (some
// network shares, some drivers of USB sticks), the content is safe and the rename
// as safe as that file system makes it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be synced there; NTFS journals the rename
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !unsupported(err) {
		return err
	}
	return nil
}

func unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOLCK)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxFile {
		return nil, fmt.Errorf("%w: %s is above %d bytes", ErrFormat, path, MaxFile)
	}
	return content, nil
}

// sweep removes what a crash amid a save left beside a keystore: a file that is
// locked under the passphrase of its time.
func sweep(path string) error {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // not Glob: a folder's name may hold its signs
		if strings.HasPrefix(e.Name(), name+".tmp-") || strings.HasPrefix(e.Name(), name+PreviousSuffix+".tmp-") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
