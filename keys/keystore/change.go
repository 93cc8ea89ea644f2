package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Rekey locks the keystore at path under another passphrase. Only after the new
// file was opened with it, and holds the same, is what the old passphrase opens
// removed from beside it: the previous version, and what crashes left. A crash
// leaves the old file, or the new one with its previous version.
func (k *Keystore) Rekey(path string, next Secret) error {
	if err := k.Save(path, next); err != nil {
		return err
	}
	again, err := Open(path, next, Options{Demo: k.Demo})
	if err != nil {
		return fmt.Errorf("keystore: the new file does not open, its previous version is kept: %w", err)
	}
	defer again.Forget()
	if same, err := k.equal(again); err != nil || !same {
		return errors.Join(fmt.Errorf("keystore: %w: the new file holds something else, its previous version is kept", ErrChanged), err)
	}
	return DropPrevious(path)
}

func (k *Keystore) equal(other *Keystore) (bool, error) {
	a, errA := k.encode()
	b, errB := other.encode()
	defer clear(a)
	defer clear(b)
	return bytes.Equal(a, b), errors.Join(errA, errB)
}

// DropPrevious removes the previous version of a keystore, and what a crash left
// of others: a new passphrase or a dropped epoch does not reach them. The keystore
// itself must be there.
func DropPrevious(path string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	release, err := hold(path)
	if err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	defer release()
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("keystore: the previous version is the only one: %w", err)
	}
	if err := os.Remove(path + PreviousSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keystore: %w", err)
	}
	if err := sweep(path); err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	return nil
}

// Copy writes the keystore at path, as it lies there, to another place, and opens
// the copy. A keystore that is there already gets what it lacks, and keeps what
// it has more, if it is an older copy of this one under the same passphrase;
// another keystore is left alone: [ErrOther].
func Copy(path, to string, passphrase Secret, opts Options) (*Keystore, error) {
	k, err := Open(path, passphrase, opts)
	if err != nil {
		return nil, err
	}
	theirs, err := Open(to, passphrase, opts)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = k.Save(to, passphrase)
	case errors.Is(err, ErrPassphrase):
		return nil, fmt.Errorf("keystore: %s: %w: another passphrase locks it", to, ErrOther)
	case err == nil:
		if _, err := theirs.Merge(k); err != nil {
			return nil, fmt.Errorf("%s: %w", to, err)
		}
		err = theirs.Update(to, passphrase)
	}
	if err != nil {
		return nil, err
	}
	return k, k.heldBy(to, passphrase, opts)
}

// heldBy opens the file at path and reports whether it holds all that k does.
func (k *Keystore) heldBy(path string, passphrase Secret, opts Options) error {
	there, err := Open(path, passphrase, opts)
	if err != nil {
		return fmt.Errorf("keystore: the copy does not open: %w", err)
	}
	defer there.Forget()
	added, err := there.Merge(k)
	if err == nil && added > 0 {
		err = fmt.Errorf("%w: the copy lacks %d desk keys", ErrChanged, added)
	}
	if err != nil {
		return fmt.Errorf("keystore: %s: %w", path, err)
	}
	return nil
}

// Restored says what [RestorePrevious] did.
type Restored struct {
	*Keystore
	Aside string // where the damaged file lies now, "" if there was none
}

// RestorePrevious puts the previous version of the keystore in the place of one
// that is damaged or gone. The damaged file is kept aside: somebody may know what
// to do with it. A keystore that opens is left alone: [ErrHealthy]. A crash leaves
// the damaged file in its place, or the previous version.
func RestorePrevious(path string, passphrase Secret, opts Options) (r Restored, err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if _, err := Open(path, passphrase, opts); err == nil {
		return r, fmt.Errorf("keystore: restore: %w", ErrHealthy)
	}
	previous, err := readFile(path + PreviousSuffix)
	if err != nil {
		return r, fmt.Errorf("keystore: restore: %w", err)
	}
	if r.Keystore, err = open(previous, passphrase, opts); err != nil {
		return r, fmt.Errorf("keystore: restore: the previous version: %w", err)
	}
	release, err := hold(path)
	if err != nil {
		return r, fmt.Errorf("keystore: restore: %w", err)
	}
	defer release()
	if damaged, err := os.ReadFile(path); err == nil {
		if r.Aside, err = setAside(path, damaged); err != nil {
			return r, fmt.Errorf("keystore: restore: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("keystore: restore: %w", err)
	}
	if err := writeFile(path, previous); err != nil {
		return r, fmt.Errorf("keystore: restore: %w", err)
	}
	return r, nil
}

// setAside copies the damaged file to a name that is free.
func setAside(path string, damaged []byte) (string, error) {
	for n := 1; n <= 1000; n++ {
		name := fmt.Sprintf("%s.damaged-%d", path, n)
		old, err := os.ReadFile(name)
		if err == nil && bytes.Equal(old, damaged) {
			return name, nil // by a run that was stopped
		}
		if errors.Is(err, fs.ErrNotExist) {
			return name, writeFile(name, damaged)
		}
	}
	return "", errors.New("too many damaged keystores lie beside it")
}

// Retire deletes the keystore at path, its previous version and what crashes left,
// once its keys are elsewhere and were proven there. A file that k has neither
// read nor written is left alone: [ErrChanged]. The keystore itself goes last: a
// crash in between leaves it whole.
func (k *Keystore) Retire(path string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	release, err := hold(path)
	if err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	defer release()
	file, err := readFile(path)
	if err != nil {
		return fmt.Errorf("keystore: %w", err)
	}
	if !k.knows(file) {
		return fmt.Errorf("keystore: %w: %s", ErrChanged, path)
	}
	err = sweep(path)
	for _, name := range []string{path + PreviousSuffix, path} {
		if err == nil {
			err = step("remove", name)
		}
		if err == nil {
			if err = os.Remove(name); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err == nil {
		err = os.Remove(path + LockSuffix) // held still; who waits for it finds no keystore
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keystore: %w", err)
	}
	return nil
}
