package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
)

// An Anchor remembers the last signed checkpoint outside the database, so that
// a restored old database is noticed before it signs a second history. Whoever
// can write both can roll the ledger back unseen by all but witnesses.
// Implementations are safe for concurrent use.
type Anchor interface {
	// Last returns the kept checkpoint of the greatest size, nil if none.
	Last(ctx context.Context, log Log) (note []byte, err error)

	// Keep stores note durably. It never loses a larger one, and refuses
	// another root at the size it holds with an error that wraps [ErrRollback].
	Keep(ctx context.Context, log Log, note []byte) error
}

// ReadUnverified reads the checkpoint out of a note without asking who signed it,
// for an [Anchor], which must compare sizes and knows no key. Nothing else may
// believe it: see [ParseCheckpoint]. Any failure wraps [ErrCheckpoint].
func ReadUnverified(note []byte) (Checkpoint, error) { return unverified(note) }

// A FileAnchor is an Anchor in a directory on the server's disk, away from the
// database and its backups: one file per log, "<log>-<size>.checkpoint". The
// size in the name lets several servers share the directory without a lock.
type FileAnchor struct {
	dir string
	mu  sync.Mutex
}

var _ Anchor = (*FileAnchor)(nil)

// OpenFileAnchor uses an existing directory; it creates none, for a missing
// anchor must be noticed.
func OpenFileAnchor(dir string) (*FileAnchor, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("ledger: anchor: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("ledger: anchor: %s is not a directory", dir)
	}
	return &FileAnchor{dir: dir}, nil
}

// Last implements [Anchor].
func (a *FileAnchor) Last(_ context.Context, log Log) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	note, _, err := a.last(log)
	return note, err
}

// Keep implements [Anchor]. The file is complete and durable before its name
// appears; smaller ones are removed afterwards.
func (a *FileAnchor) Keep(_ context.Context, log Log, note []byte) error {
	c, err := unverified(note)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, held, err := a.last(log)
	if err != nil {
		return err
	}
	if c.Size == held.Size && c.Root != held.Root {
		return fmt.Errorf("ledger: anchor holds another root for %s at size %d: %w", log, c.Size, ErrRollback)
	}
	if c.Size <= held.Size {
		return nil
	}
	if err := writeDurably(a.dir, anchorName(log, c.Size), note); err != nil {
		return fmt.Errorf("ledger: anchor: %w", err)
	}
	return a.removeBelow(log, c.Size)
}

// last returns the kept note and what it says, size -1 if there is none. A file
// that another server removes in between means a larger one has appeared.
func (a *FileAnchor) last(log Log) ([]byte, Checkpoint, error) {
	for range 10 {
		size, err := a.greatest(log)
		if err != nil || size < 0 {
			return nil, Checkpoint{Size: -1}, err
		}
		note, err := os.ReadFile(filepath.Join(a.dir, anchorName(log, size)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, Checkpoint{}, fmt.Errorf("ledger: anchor: %w", err)
		}
		c, err := unverified(note)
		if err != nil {
			return nil, Checkpoint{}, fmt.Errorf("ledger: anchor: %s: %w", anchorName(log, size), err)
		}
		if c.Size != size {
			return nil, Checkpoint{}, fmt.Errorf("ledger: anchor: %s holds size %d: %w", anchorName(log, size), c.Size, ErrCheckpoint)
		}
		return note, c, nil
	}
	return nil, Checkpoint{}, fmt.Errorf("ledger: anchor: files for %s vanish as they are read", log)
}

// greatest is the greatest size among the log's files, -1 if there is none.
func (a *FileAnchor) greatest(log Log) (int64, error) {
	sizes, err := a.sizes(log)
	greatest := int64(-1)
	for _, s := range sizes {
		greatest = max(greatest, s)
	}
	return greatest, err
}

var anchorFile = regexp.MustCompile(`^([a-z]+)-([0-9]{16})\.checkpoint$`)

func anchorName(log Log, size int64) string { return fmt.Sprintf("%s-%016d.checkpoint", log, size) }

func (a *FileAnchor) sizes(log Log) ([]int64, error) {
	files, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, fmt.Errorf("ledger: anchor: %w", err)
	}
	var sizes []int64
	for _, f := range files {
		m := anchorFile.FindStringSubmatch(f.Name())
		if m == nil || m[1] != log.String() {
			continue
		}
		size, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("ledger: anchor: %w", err)
		}
		sizes = append(sizes, size)
	}
	return sizes, nil
}

func (a *FileAnchor) removeBelow(log Log, size int64) error {
	sizes, err := a.sizes(log)
	if err != nil {
		return err
	}
	for _, s := range sizes {
		if s >= size {
			continue
		}
		err := os.Remove(filepath.Join(a.dir, anchorName(log, s)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("ledger: anchor: %w", err)
		}
	}
	return nil
}

// writeDurably makes name appear in dir with all of data or not at all, and
// returns once it would survive a power loss.
func writeDurably(dir, name string, data []byte) error {
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails, as it should, once renamed
	if err := writeSync(f, data); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSync(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
