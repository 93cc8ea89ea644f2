package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
)

// A Mirror is one tree in a folder: "checkpoint", and its tiles where
// ledger.FSTiles looks for them. Full tiles never change; those that are not full
// give way to larger ones. It holds what its checkpoint commits to, whenever the
// program ends. Safe for concurrent use.
type Mirror struct {
	log ledger.Log
	dir string

	grow sync.Mutex // one at a time lets it grow
	mu   sync.Mutex // guards what follows
	edge *frontier
	at   ledger.Checkpoint
	note []byte // of at, nil if nothing is mirrored
}

// checkpointFile is written last, so that all it commits to is there.
const checkpointFile = "checkpoint"

// openMirror reads the mirror of a folder. What is on the right edge is
// recomputed and held against the checkpoint. Another program may let the mirror
// grow meanwhile.
func openMirror(dir string, log ledger.Log) (*Mirror, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	for {
		m := &Mirror{log: log, dir: dir, edge: &frontier{}, at: ledger.Checkpoint{Root: ledger.EmptyRoot()}}
		err := m.load()
		if err == nil || !errors.Is(err, ErrDamaged) {
			return m, err
		}
		if now, _ := os.ReadFile(filepath.Join(dir, checkpointFile)); bytes.Equal(now, m.note) {
			return nil, err
		}
	}
}

func (m *Mirror) load() (err error) {
	note, err := os.ReadFile(filepath.Join(m.dir, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	m.note = note
	if m.at, err = witness.Head(note); err != nil {
		return fmt.Errorf("observe: %s: %w: %w", filepath.Join(m.dir, checkpointFile), ErrDamaged, err)
	}
	if m.edge, err = m.readEdge(); err != nil {
		return err
	}
	if m.edge.root() != m.at.Root {
		return fmt.Errorf("observe: %s: its tiles do not lead to its checkpoint: %w", m.dir, ErrDamaged)
	}
	return nil
}

// readEdge reads the tiles that are not full.
func (m *Mirror) readEdge() (*frontier, error) {
	f := &frontier{size: m.at.Size}
	n := f.size
	for l := range f.open {
		w := int(n % ledger.TileWidth)
		n >>= ledger.TileHeight
		if w == 0 {
			continue
		}
		data, err := m.Tile(context.Background(), ledger.HashTile(l, n, w))
		if err != nil {
			return nil, fmt.Errorf("observe: %s: %w: %w", m.dir, ErrDamaged, err)
		}
		f.open[l] = hashesOf(data)
		if l > 0 {
			continue
		}
		if data, err = m.Tile(context.Background(), ledger.Bundle(n, w)); err == nil {
			f.entries, err = ledger.ParseBundle(data, w)
		}
		if err != nil {
			return nil, fmt.Errorf("observe: %s: %w: %w", m.dir, ErrDamaged, err)
		}
		for i, leaf := range f.entries {
			if tlog.RecordHash(leaf) != f.open[0][i] {
				return nil, fmt.Errorf("observe: %s: entry %d: %w", m.dir, n<<ledger.TileHeight+int64(i), ErrDamaged)
			}
		}
	}
	return f, nil
}

// At is what the mirror holds, with the note that says so: nil if nothing is.
func (m *Mirror) At() (ledger.Checkpoint, []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at, slices.Clone(m.note)
}

// Tile implements [ledger.TileSource].
func (m *Mirror) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return ledger.FSTiles(os.DirFS(m.dir)).Tile(ctx, t)
}

// Entry returns an entry that is mirrored.
func (m *Mirror) Entry(ctx context.Context, idx int64) ([]byte, error) {
	at, _ := m.At()
	if idx < 0 || idx >= at.Size {
		return nil, fmt.Errorf("observe: entry %d of %s is not mirrored: %w", idx, m.log, ledger.ErrMissing)
	}
	n := idx >> ledger.TileHeight
	entries, err := m.bundle(ctx, n, int(min(ledger.TileWidth, at.Size-n<<ledger.TileHeight)))
	if err != nil {
		return nil, err
	}
	return entries[idx-n<<ledger.TileHeight], nil
}

// bundle reads a bundle of at least w entries. One that is not full may be
// replaced by a larger one while it is read for.
func (m *Mirror) bundle(ctx context.Context, n int64, w int) ([][]byte, error) {
	for last := false; ; last = true {
		data, err := m.Tile(ctx, ledger.Bundle(n, w))
		if err == nil {
			return ledger.ParseBundle(data, w)
		}
		at, _ := m.At()
		w = int(min(ledger.TileWidth, at.Size-n<<ledger.TileHeight))
		if !errors.Is(err, ledger.ErrMissing) || last {
			return nil, err
		}
	}
}

// Each calls visit for the entries from an index on, in order.
func (m *Mirror) Each(ctx context.Context, from int64, visit func(idx int64, leaf []byte) error) error {
	at, _ := m.At()
	for from < at.Size {
		n := from >> ledger.TileHeight
		entries, err := m.bundle(ctx, n, int(min(ledger.TileWidth, at.Size-n<<ledger.TileHeight)))
		if err != nil {
			return err
		}
		for _, leaf := range entries[from-n<<ledger.TileHeight:] {
			if from >= at.Size {
				break
			}
			if err := visit(from, leaf); err != nil {
				return err
			}
			from++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// hashes are proven to lead to the mirror's checkpoint as they are read.
func (m *Mirror) hashes(ctx context.Context, at ledger.Checkpoint) tlog.HashReader {
	return ledger.TileHashes(ctx, m, at)
}

// RootAt is the root that the tree had at an earlier or its present size.
func (m *Mirror) RootAt(ctx context.Context, size int64) (tlog.Hash, error) {
	m.grow.Lock() // or a tile could give way to a larger one meanwhile
	defer m.grow.Unlock()
	return m.rootAt(ctx, size)
}

func (m *Mirror) rootAt(ctx context.Context, size int64) (tlog.Hash, error) {
	at, _ := m.At()
	switch {
	case size > at.Size:
		return tlog.Hash{}, fmt.Errorf("observe: size %d of %s is not mirrored: %w", size, m.log, ledger.ErrMissing)
	case size == at.Size:
		return at.Root, nil
	case size == 0:
		return ledger.EmptyRoot(), nil
	}
	return tlog.TreeHash(size, m.hashes(ctx, at))
}

// proofText proves which root the mirror's tree had at an earlier size. The
// caller holds m.grow.
func (m *Mirror) proofText(ctx context.Context, size int64) ([]byte, error) {
	at, _ := m.At()
	root, err := m.rootAt(ctx, size)
	if err != nil {
		return nil, err
	}
	if size == 0 || size == at.Size {
		return proofText(size, root, at, nil), nil
	}
	proof, err := tlog.ProveTree(at.Size, size, m.hashes(ctx, at))
	return proofText(size, root, at, proof), err
}

// A TreeError says that entries which a source gave are not those of a
// checkpoint.
type TreeError struct {
	Log  ledger.Log
	Size int64
	Root tlog.Hash // that the entries have
	Idx  int64     // the entry that was another before, -1 if that is not known
}

func (e *TreeError) Error() string {
	if e.Idx >= 0 {
		return fmt.Sprintf("observe: entry %d of %s is another than before", e.Idx, e.Log)
	}
	return fmt.Sprintf("observe: the entries of %s do not lead to its root at size %d", e.Log, e.Size)
}

// Is makes it a contradiction.
func (e *TreeError) Is(target error) bool { return target == ledger.ErrContradicted }

// advance lets the mirror grow to c, whose note is signed. visit sees each new
// entry in order before it is known that they lead to c; its error ends the
// work. A *[TreeError] says that they do not. Full bundles are kept as they
// come, so that long work goes on where it was interrupted.
func (m *Mirror) advance(ctx context.Context, src ledger.TileSource, c ledger.Checkpoint, note []byte, visit func(idx int64, leaf []byte) error, progress func(done, total int64)) error {
	m.mu.Lock()
	old := m.edge
	m.mu.Unlock()
	f := old.clone()
	for f.size < c.Size {
		if err := m.nextBundle(ctx, src, f, c.Size, visit); err != nil {
			if errors.Is(err, ledger.ErrContradicted) {
				return errors.Join(err, m.drop(old.size, c.Size))
			}
			return err
		}
		if progress != nil {
			progress(f.size, c.Size)
		}
	}
	if root := f.root(); root != c.Root {
		return errors.Join(&TreeError{Log: m.log, Size: c.Size, Root: root, Idx: -1}, m.drop(old.size, c.Size))
	}
	return m.adopt(f, c, note)
}

// nextBundle takes the entries of one bundle into f.
func (m *Mirror) nextBundle(ctx context.Context, src ledger.TileSource, f *frontier, size int64, visit func(int64, []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := f.size >> ledger.TileHeight
	t := ledger.Bundle(n, int(min(ledger.TileWidth, size-n<<ledger.TileHeight)))
	data, err := m.Tile(ctx, t) // of work that was interrupted
	if err != nil || t.W < ledger.TileWidth {
		data, err = src.Tile(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("observe: %s of %s: %w", ledger.TilePath(t), m.log, err)
	}
	entries, err := ledger.ParseBundle(data, t.W)
	if err != nil {
		return err
	}
	held := len(f.entries)
	for i, leaf := range f.entries {
		if !bytes.Equal(leaf, entries[i]) {
			return &TreeError{Log: m.log, Size: size, Idx: n<<ledger.TileHeight + int64(i)}
		}
	}
	for _, leaf := range entries[held:] {
		if err := visit(f.size, leaf); err != nil {
			return err
		}
		full, err := f.add(leaf)
		if err != nil {
			return err
		}
		if err := m.write(full); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) path(t tlog.Tile) string {
	return filepath.Join(m.dir, filepath.FromSlash(ledger.TilePath(t)))
}

// write stores tiles with their folders, durably.
func (m *Mirror) write(tiles []tile) error {
	for _, t := range tiles {
		name := m.path(t.Tile)
		if err := m.folder(filepath.Dir(name)); err != nil {
			return err
		}
		if err := replace(name, t.data); err != nil {
			return err
		}
	}
	for _, t := range tiles {
		if err := syncFolder(filepath.Dir(m.path(t.Tile))); err != nil {
			return err
		}
	}
	return nil
}

// folder makes a folder below the mirror's, durably.
func (m *Mirror) folder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if above := filepath.Dir(dir); above != m.dir && len(above) > len(m.dir) {
		if err := m.folder(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("observe: %w", err)
	}
	return syncFolder(filepath.Dir(dir))
}

// adopt makes the mirror what f is: tiles first, the checkpoint last.
func (m *Mirror) adopt(f *frontier, c ledger.Checkpoint, note []byte) error {
	partial, err := f.partial()
	if err != nil {
		return err
	}
	if err := m.write(partial); err != nil {
		return err
	}
	old, _ := m.At()
	if err := m.keep(f, c, note); err != nil {
		return err
	}
	for _, t := range partial {
		m.tidy(filepath.Dir(m.path(t.Tile)), filepath.Base(m.path(t.Tile)))
	}
	for l := ledger.EntryLevel; l < levels; l++ { // what has become full
		shift := ledger.TileHeight * (max(l, 0) + 1)
		if n := old.Size >> shift; n < c.Size>>shift {
			_ = os.RemoveAll(m.path(ledger.HashTile(l, n, ledger.TileWidth)) + ".p")
		}
	}
	return nil
}

// keep writes the checkpoint.
func (m *Mirror) keep(f *frontier, c ledger.Checkpoint, note []byte) error {
	if err := replaceWhole(filepath.Join(m.dir, checkpointFile), note); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.edge, m.at, m.note = f, c, slices.Clone(note)
	return nil
}

// renote puts another note of the same tree in place of the one held: one that
// more have cosigned.
func (m *Mirror) renote(note []byte) error {
	m.mu.Lock()
	f, c, same := m.edge, m.at, bytes.Equal(m.note, note)
	m.mu.Unlock()
	if same {
		return nil
	}
	return m.keep(f, c, note)
}

// tidy removes the smaller forms of a tile that is not full. What stays because
// of a failure disturbs nobody.
func (m *Mirror) tidy(folder, but string) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range list {
		if e.Name() != but {
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}

// drop removes full tiles that were stored on the way to a checkpoint to which
// they do not lead.
func (m *Mirror) drop(from, to int64) error {
	for l := ledger.EntryLevel; l < levels; l++ {
		shift := ledger.TileHeight * (max(l, 0) + 1)
		for n := from >> shift; n < to>>shift; n++ {
			err := os.Remove(m.path(ledger.HashTile(l, n, ledger.TileWidth)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("observe: %w", err)
			}
		}
	}
	return nil
}
