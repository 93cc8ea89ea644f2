package keystore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	k.saw(file)
	return k, nil
}

// Save writes the keystore to path, locked under passphrase, which may be a new
// one. The file is replaced in one step, with mode 0600, after its content and
// a copy of the version before it (path + ".prev", under the passphrase of its
// time) reached the disk. A file that this Keystore has neither read nor
// written is not replaced: [ErrChanged]. Another program that saves at the same
// time is waited for, ten seconds at most: [ErrBusy].
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
	text, err := k.encode()
	if err != nil {
		return err
	}
	defer clear(text)
	file, err := lock(text, passphrase, logN)
	if err != nil {
		return err
	}
	if len(file) > MaxFile {
		return fmt.Errorf("%d bytes, at most %d: drop old desk epochs", len(file), MaxFile)
	}
	return k.replace(path, file)
}

// Update is Save where another program may have saved too: what it added is
// taken over first, and both are saved. It must have saved the same keys under
// the same passphrase.
func (k *Keystore) Update(path string, passphrase Secret) error {
	err := k.Save(path, passphrase)
	for tries := 0; errors.Is(err, ErrChanged) && tries < maxMerges; tries++ {
		file, readErr := readFile(path)
		if readErr != nil {
			return fmt.Errorf("keystore: save: %w", readErr)
		}
		theirs, openErr := open(file, passphrase, Options{Demo: k.Demo})
		if openErr != nil {
			return errors.Join(err, openErr)
		}
		if _, mergeErr := k.Merge(theirs); mergeErr != nil {
			return errors.Join(err, mergeErr)
		}
		k.saw(file)
		err = k.Save(path, passphrase)
	}
	return err
}

// maxMerges bounds how often an Update begins again, each time about two seconds
// of scrypt in which somebody else must have saved.
const maxMerges = 5

// replace puts file at path and what was there at path + ".prev". The previous
// version is a copy, not a rename: at no moment is there nothing at path, and
// file systems without hard links (a USB stick) serve as well.
func (k *Keystore) replace(path string, file []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the file itself is replaced, not a link to it
	}
	release, err := hold(path) // else two programs could both find what they know, and one replace the other
	if err != nil {
		return err
	}
	defer release()
	old, err := readFile(path)
	if err == nil {
		if !k.knows(old) {
			return fmt.Errorf("%w: %s", ErrChanged, path)
		}
		err = writeFile(path+PreviousSuffix, old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k.saw(file) // also if the last step, syncing the folder, fails: then it is there, and ours
	return writeFile(path, file)
}
