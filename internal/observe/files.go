package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrDamaged says that a file of the observer is not what it wrote.
var ErrDamaged = errors.New("the file is damaged")

// replace makes a file hold data, or leaves it as it was, and returns once the
// content would survive a power loss. The name does so after syncFolder.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".next-*")
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	defer os.Remove(f.Name()) // fails, as it should, once renamed
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	return nil
}

// replaceWhole is replace with the name made durable too.
func replaceWhole(name string, data []byte) error {
	if err := replace(name, data); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there; NTFS journals the rename
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	return nil
}

func writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return replaceWhole(name, append(data, '\n'))
}

// readJSON leaves v as it is if there is no such file.
func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("observe: %s: %w: %w", name, ErrDamaged, err)
	}
	return nil
}
