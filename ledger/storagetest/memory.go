package storagetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

// A Memory is a ledger.Storage in memory, for tests. It is stricter than a
// database: a gap, an overwrite or a shrinking log is refused at once, and what
// is committed cannot be changed except by the Forge methods. It keeps nothing
// after the process ends. Safe for concurrent use.
type Memory struct {
	update sync.Mutex // held for the whole of an Update
	mu     sync.Mutex // guards state
	state  state
}

var _ ledger.Storage = (*Memory)(nil)

// state is a snapshot: slices only ever grow past the length it sees.
type state [len(ledger.Logs)]rows

type rows struct {
	head        ledger.Head
	entries     [][]byte
	nodes       []tlog.Hash
	checkpoints []ledger.Published // by (Size, Seq)
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	m := &Memory{}
	for i := range m.state {
		m.state[i].head.Root = ledger.EmptyRoot()
	}
	return m
}

// Update implements ledger.Storage.
func (m *Memory) Update(ctx context.Context, f func(ledger.Tx) error) error {
	m.update.Lock()
	defer m.update.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	tx := &memoryTx{memoryReader{m.snapshot()}}
	if err := f(tx); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), tx.checkWhole()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = tx.state
	return nil
}

// View implements ledger.Storage.
func (m *Memory) View(ctx context.Context, f func(ledger.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(&memoryReader{m.snapshot()})
}

func (m *Memory) snapshot() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

type memoryReader struct{ state state }

func (r *memoryReader) rows(log ledger.Log) (*rows, error) {
	if log < 0 || int(log) >= len(r.state) {
		return nil, fmt.Errorf("storagetest: no %s", log)
	}
	return &r.state[log], nil
}

func (r *memoryReader) Head(_ context.Context, log ledger.Log) (ledger.Head, error) {
	l, err := r.rows(log)
	if err != nil {
		return ledger.Head{}, err
	}
	return l.head, nil
}

func (r *memoryReader) Hashes(_ context.Context, log ledger.Log, positions []int64) ([]tlog.Hash, error) {
	l, err := r.rows(log)
	if err != nil {
		return nil, err
	}
	if len(positions) > ledger.MaxPage {
		return nil, fmt.Errorf("storagetest: %d positions asked at once", len(positions))
	}
	hashes := make([]tlog.Hash, len(positions))
	for i, pos := range positions {
		if pos < 0 || pos >= int64(len(l.nodes)) {
			return nil, fmt.Errorf("storagetest: node %d of %s: %w", pos, log, ledger.ErrMissing)
		}
		hashes[i] = l.nodes[pos]
	}
	return hashes, nil
}

func (r *memoryReader) Entries(_ context.Context, log ledger.Log, from, to int64) ([][]byte, error) {
	l, err := r.rows(log)
	if err != nil {
		return nil, err
	}
	if from < 0 || from > to || to-from > ledger.MaxPage {
		return nil, fmt.Errorf("storagetest: entries %d to %d asked at once", from, to)
	}
	if to > int64(len(l.entries)) {
		return nil, fmt.Errorf("storagetest: entry %d of %s: %w", to-1, log, ledger.ErrMissing)
	}
	out := make([][]byte, 0, to-from)
	for _, e := range l.entries[from:to] {
		out = append(out, slices.Clone(e))
	}
	return out, nil
}

func (r *memoryReader) LastCheckpoint(_ context.Context, log ledger.Log) (ledger.Published, error) {
	l, err := r.rows(log)
	if err != nil || len(l.checkpoints) == 0 {
		return ledger.Nothing(), err
	}
	return clone(l.checkpoints[len(l.checkpoints)-1]), nil
}

func (r *memoryReader) CheckpointFor(_ context.Context, log ledger.Log, idx int64) (ledger.Published, error) {
	l, err := r.rows(log)
	if err != nil {
		return ledger.Nothing(), err
	}
	for _, p := range l.checkpoints {
		if p.Size > idx && p.Quorum {
			return clone(p), nil
		}
	}
	return ledger.Nothing(), nil
}

func (r *memoryReader) CheckpointAt(_ context.Context, log ledger.Log, at int64) (ledger.Published, error) {
	l, err := r.rows(log)
	if err != nil {
		return ledger.Nothing(), err
	}
	for _, p := range slices.Backward(l.checkpoints) {
		if p.At <= at && p.Quorum {
			return clone(p), nil
		}
	}
	return ledger.Nothing(), nil
}

func (r *memoryReader) Checkpoints(_ context.Context, log ledger.Log, after ledger.Published, limit int) ([]ledger.Published, error) {
	l, err := r.rows(log)
	if err != nil {
		return nil, err
	}
	if limit < 1 || limit > ledger.MaxPage {
		return nil, fmt.Errorf("storagetest: %d checkpoints asked at once", limit)
	}
	var out []ledger.Published
	for _, p := range l.checkpoints {
		if len(out) < limit && order(p, after) > 0 {
			out = append(out, clone(p))
		}
	}
	return out, nil
}

func order(a, b ledger.Published) int {
	return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Seq, b.Seq))
}

func clone(p ledger.Published) ledger.Published {
	p.Note = slices.Clone(p.Note)
	return p
}

// memoryTx works on a copy of the state; appending beyond the length that
// snapshots see does not disturb them.
type memoryTx struct{ memoryReader }

func (tx *memoryTx) InsertEntries(_ context.Context, log ledger.Log, first int64, leaves [][]byte) error {
	l, err := tx.rows(log)
	if err != nil {
		return err
	}
	if first != int64(len(l.entries)) {
		return fmt.Errorf("storagetest: entry %d of %s where %d is next: an overwrite or a gap", first, log, len(l.entries))
	}
	for _, leaf := range leaves {
		if len(leaf) < 1 || len(leaf) > ledger.MaxEntry {
			return fmt.Errorf("storagetest: %w", ledger.ErrEntrySize)
		}
		l.entries = append(l.entries, slices.Clone(leaf))
	}
	return nil
}

func (tx *memoryTx) InsertNodes(_ context.Context, log ledger.Log, first int64, hashes []tlog.Hash) error {
	l, err := tx.rows(log)
	if err != nil {
		return err
	}
	if first != int64(len(l.nodes)) {
		return fmt.Errorf("storagetest: node %d of %s where %d is next: an overwrite or a gap", first, log, len(l.nodes))
	}
	l.nodes = append(l.nodes, hashes...)
	return nil
}

func (tx *memoryTx) MoveHead(_ context.Context, log ledger.Log, old, new ledger.Head) error {
	l, err := tx.rows(log)
	if err != nil {
		return err
	}
	if l.head.Size != old.Size || l.head.Root != old.Root {
		return fmt.Errorf("storagetest: head of %s has %d entries, not %d: %w", log, l.head.Size, old.Size, ledger.ErrConflict)
	}
	if new.Size <= old.Size || new.At < old.At {
		return fmt.Errorf("storagetest: head of %s would go back from %d to %d", log, old.Size, new.Size)
	}
	if new.Size > int64(len(l.entries)) {
		return fmt.Errorf("storagetest: head of %s at %d with only %d entries", log, new.Size, len(l.entries))
	}
	l.head = new
	return nil
}

func (tx *memoryTx) PublishCheckpoint(_ context.Context, log ledger.Log, p ledger.Published) error {
	l, err := tx.rows(log)
	if err != nil {
		return err
	}
	if !isNext(l, p) {
		return fmt.Errorf("storagetest: checkpoint of %s at size %d, seq %d is not next: %w", log, p.Size, p.Seq, ledger.ErrConflict)
	}
	l.checkpoints = append(slices.Clone(l.checkpoints), clone(p))
	return nil
}

// isNext states the rule of ledger.Tx.PublishCheckpoint.
func isNext(l *rows, p ledger.Published) bool {
	last := ledger.Nothing()
	if n := len(l.checkpoints); n > 0 {
		last = l.checkpoints[n-1]
	}
	if p.Size == last.Size {
		return p.Seq == last.Seq+1 && p.Root == last.Root
	}
	return p.Size > last.Size && p.Size <= l.head.Size && p.Seq == 0
}

// checkWhole refuses to commit rows that the head does not cover.
func (tx *memoryTx) checkWhole() error {
	for i := range tx.state {
		l := &tx.state[i]
		if int64(len(l.entries)) != l.head.Size || int64(len(l.nodes)) != tlog.StoredHashCount(l.head.Size) {
			return fmt.Errorf("storagetest: %s: head at %d with %d entries and %d nodes", ledger.Log(i), l.head.Size, len(l.entries), len(l.nodes))
		}
	}
	return nil
}
