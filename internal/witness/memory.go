package witness

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/odziv/odziv/internal/filelock"
	"github.com/odziv/odziv/ledger"
)

// ErrMemory says that what a witness cosigned cannot be read any more. It must
// cosign nothing then: it could contradict itself.
var ErrMemory = errors.New("what was cosigned before cannot be read")

// ErrBusy says that another program uses the folder.
var ErrBusy = errors.New("another program uses this folder")

// Memory is what a witness cosigned last of each log: a folder with one file per
// log, the checkpoint verbatim. It is locked while it is open. Safe for
// concurrent use.
type Memory struct {
	dir  string
	lock *os.File
	mu   sync.Mutex
}

// OpenMemory opens a folder, which it makes if there is none. It must never be
// put back from a backup: what was cosigned since would be forgotten.
func OpenMemory(dir string) (*Memory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	lock, err := filelock.Take(filepath.Join(dir, "lock"))
	if errors.Is(err, filelock.ErrHeld) {
		return nil, fmt.Errorf("witness: %s: %w", dir, ErrBusy)
	}
	if err != nil {
		return nil, fmt.Errorf("witness: %s: %w", dir, err)
	}
	return &Memory{dir: dir, lock: lock}, nil
}

// Close lets others open the folder.
func (m *Memory) Close() error { return m.lock.Close() }

// Last returns what was kept for a log, nil if nothing was. An error wraps
// [ErrMemory].
func (m *Memory) Last(origin string) (note []byte, c ledger.Checkpoint, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last(origin)
}

func (m *Memory) last(origin string) ([]byte, ledger.Checkpoint, error) {
	note, err := os.ReadFile(m.file(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ledger.Checkpoint{Origin: origin, Root: ledger.EmptyRoot()}, nil
	}
	if err != nil {
		return nil, ledger.Checkpoint{}, fmt.Errorf("witness: %w: %w", ErrMemory, err)
	}
	c, err := Head(note)
	if err != nil || c.Origin != origin {
		return nil, ledger.Checkpoint{}, fmt.Errorf("witness: %s: %w", m.file(origin), ErrMemory)
	}
	return note, c, nil
}

// Keep stores a checkpoint durably, in place of the last of its log. It refuses
// a smaller tree and another one of the same size, whatever was proven before.
func (m *Memory) Keep(note []byte) error {
	c, err := Head(note)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, last, err := m.last(c.Origin)
	if err != nil {
		return err
	}
	if held != nil && (c.Size < last.Size || c.Size == last.Size && c.Root != last.Root) {
		return fmt.Errorf("witness: size %d after %d: %w", c.Size, last.Size, ledger.ErrContradicted)
	}
	if held != nil && c == last {
		return nil
	}
	return replace(m.file(c.Origin), note)
}

// file is named by a digest: an origin may hold what no file name may.
func (m *Memory) file(origin string) string {
	return filepath.Join(m.dir, fmt.Sprintf("%x.cosigned", sha256.Sum256([]byte(origin))))
}

// replace makes a file hold data, or leaves it as it was, and returns once that
// would survive a power loss.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".next-*")
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	defer os.Remove(f.Name()) // fails, as it should, once renamed
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return nil
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there; NTFS journals the rename
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
