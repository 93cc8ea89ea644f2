package keystore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// PreviousSuffix is appended to the path of a keystore to name its previous
// version.
const PreviousSuffix = ".prev"

// Options say how a keystore may be locked.
type Options struct {
	// Demo permits keystores of a demonstration: locked with [DemoWorkFactor],
	// which stops nobody, and marked so. Default false.
	Demo bool
}

// Create makes a keystore with fresh keys in a new file. A file that is there
// is never replaced: it may be the only copy of somebody's keys.
func Create(path string, passphrase Secret, owner Owner, created int64, opts Options) (*Keystore, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("keystore: create %s: %w", path, fs.ErrExist)
	}
	k, err := Generate(owner, created, opts)
	if err != nil {
		return nil, err
	}
	if err := k.Save(path, passphrase); err != nil {
		return nil, err
	}
	return k, nil
}

// Open reads a keystore. It takes as long as scrypt asks for, about a second,
// and 256 MiB meanwhile (four times both at most).
func Open(path string, passphrase Secret, opts Options) (*Keystore, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("keystore: open: %w", err)
	}
	k, err := open(file, passphrase, opts)
	if err != nil {
		return nil, fmt.Errorf("keystore: open %s: %w", path, err)
	}
	return k, nil
}

func open(file []byte, passphrase Secret, opts Options) (*Keystore, error) {
	if err := passphrase.check(); err != nil {
		return nil, err
	}
	text, logN, err := unlock(file, passphrase, opts)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	k, err := decode(text)
	if err != nil {
		return nil, err
	}
	if k.Demo && !opts.Demo {
		return nil, ErrDemo
	}
	if logN < WorkFactor && !k.Demo {
		return nil, fmt.Errorf("%w: locked weakly and not marked demo", ErrFormat)
	}
	k.seen[sha256.Sum256(file)] = true
	return k, nil
}

// Save writes the keystore to path, locked under passphrase, which may be a new
// one. The file is replaced in one step, with mode 0600, after its content and
// a copy of the version before it (path + ".prev", under the passphrase of its
// time) reached the disk. A file that this Keystore has neither read nor
// written is not replaced: [ErrChanged].
func (k *Keystore) Save(path string, passphrase Secret) error {
	if err := k.save(path, passphrase); err != nil {
		return fmt.Errorf("keystore: save: %w", err)
	}
	return nil
}

func (k *Keystore) save(path string, passphrase Secret) error {
	if err := passphrase.checkNew(k.Demo); err != nil {
		return err
	}
	logN := WorkFactor
	if k.Demo {
		logN = DemoWorkFactor
	}
	text := k.encode()
	defer clear(text)
	file, err := lock(text, passphrase, logN)
	if err != nil {
		return err
	}
	if len(file) > MaxFile {
		return fmt.Errorf("%d bytes, at most %d: drop old desk epochs", len(file), MaxFile)
	}
	if err := k.replace(path, file); err != nil {
		return err
	}
	k.seen[sha256.Sum256(file)] = true
	return nil
}

// replace puts file at path and what was there at path + ".prev". The previous
// version is a copy, not a rename: at no moment is there nothing at path, and
// file systems without hard links (a USB stick) serve as well.
func (k *Keystore) replace(path string, file []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the file itself is replaced, not a link to it
	}
	old, err := readFile(path)
	if err == nil {
		if !k.seen[sha256.Sum256(old)] {
			return fmt.Errorf("%w: %s", ErrChanged, path)
		}
		err = writeFile(path+PreviousSuffix, old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(path, file)
}

// DropPrevious removes the previous version of a keystore, which a new
// passphrase or a dropped epoch does not reach. Without one it does nothing.
func DropPrevious(path string) error {
	err := os.Remove(path + PreviousSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keystore: %w", err)
	}
	return nil
}

// writeFile replaces path by a file with that content and mode 0600: written
// beside it, synced, renamed, and the rename synced.
func writeFile(path string, content []byte) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
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
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be synced there; NTFS journals the rename
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
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
