package storagetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

func TestMemory(t *testing.T) {
	Run(t, func(testing.TB) ledger.Storage { return sqlMemory{NewMemory()} })
}

// sqlMemory refuses every statement, as the triggers do.
type sqlMemory struct{ *Memory }

func (sqlMemory) Exec(query string) error { return fmt.Errorf("refused: %s", query) }

// TestSuiteCatches runs the suite on storages with one fault each. A suite that
// passes one of them proves nothing.
func TestSuiteCatches(t *testing.T) {
	for _, c := range []struct {
		fault string
		open  func(*Memory) ledger.Storage
		by    string // the case that must fail
	}{
		{"keeps what a failing function wrote", func(m *Memory) ledger.Storage { return keepsOnError{m} }, "rollback on error"},
		{"swallows panics", func(m *Memory) ledger.Storage { return swallowsPanic{m} }, "rollback on panic"},
		{"ignores cancelling", func(m *Memory) ledger.Storage { return ignoresContext{m} }, "cancelled"},
		{"answers before it stores", func(m *Memory) ledger.Storage { return forgets{m} }, "append"},
		{"reads live", func(m *Memory) ledger.Storage { return readsLive{m} }, "snapshot"},
		{"moves any head", func(m *Memory) ledger.Storage {
			return withTx{m, func(tx ledger.Tx) ledger.Tx { return anyHead{tx, m} }}
		}, "head conflict"},
		{"rounds time", func(m *Memory) ledger.Storage {
			return withTx{m, func(tx ledger.Tx) ledger.Tx { return roundsTime{tx} }}
		}, "head time"},
		{"publishes anything", func(m *Memory) ledger.Storage {
			return withTx{m, func(tx ledger.Tx) ledger.Tx { return noConflict{tx} }}
		}, "checkpoint order"},
		{"accepts any SQL", func(m *Memory) ledger.Storage { return anySQL{m} }, "append only"},
		{"sorts hashes", func(m *Memory) ledger.Storage {
			return withReader{m, func(r ledger.Reader) ledger.Reader { return sortsHashes{r} }}
		}, "reads"},
		{"makes up hashes", func(m *Memory) ledger.Storage {
			return withReader{m, func(r ledger.Reader) ledger.Reader { return zeroHashes{r} }}
		}, "reads"},
		{"answers short", func(m *Memory) ledger.Storage {
			return withReader{m, func(r ledger.Reader) ledger.Reader { return shortEntries{r} }}
		}, "reads"},
		{"last for first checkpoint", func(m *Memory) ledger.Storage {
			return withReader{m, func(r ledger.Reader) ledger.Reader { return lastForFirst{r} }}
		}, "checkpoint for an entry"},
		{"pages without limit", func(m *Memory) ledger.Storage {
			return withReader{m, func(r ledger.Reader) ledger.Reader { return noLimit{r} }}
		}, "checkpoints in pages"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			i := slices.IndexFunc(cases, func(k testCase) bool { return k.name == c.by })
			if i < 0 {
				t.Fatalf("no case %q", c.by)
			}
			if !fails(t, cases[i], func(testing.TB) ledger.Storage { return c.open(NewMemory()) }) {
				t.Errorf("%q passes a storage that %s", c.by, c.fault)
			}
		})
	}
}

// recorder is a testing.TB that only remembers whether it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()                   {}
func (r *recorder) Error(...any)              { r.failed = true }
func (r *recorder) Errorf(string, ...any)     { r.failed = true }
func (r *recorder) Fatal(...any)              { r.failed = true; runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.failed = true; runtime.Goexit() }

func fails(t *testing.T, c testCase, open func(testing.TB) ledger.Storage) bool {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(newSuite(r, open))
	}()
	<-done
	return r.failed
}

type keepsOnError struct{ *Memory }

func (s keepsOnError) Update(ctx context.Context, f func(ledger.Tx) error) error {
	var own error
	err := s.Memory.Update(ctx, func(tx ledger.Tx) error { own = f(tx); return nil })
	if own != nil {
		return own
	}
	return err
}

type swallowsPanic struct{ *Memory }

func (s swallowsPanic) Update(ctx context.Context, f func(ledger.Tx) error) (err error) {
	defer func() { recover() }()
	return s.Memory.Update(ctx, f)
}

type ignoresContext struct{ *Memory }

func (s ignoresContext) Update(_ context.Context, f func(ledger.Tx) error) error {
	return s.Memory.Update(context.Background(), f)
}

type forgets struct{ *Memory }

func (s forgets) Update(ctx context.Context, f func(ledger.Tx) error) error {
	if s.snapshot()[ledger.Ev].head.Size > 100 {
		return nil
	}
	return s.Memory.Update(ctx, f)
}

type readsLive struct{ *Memory }

func (s readsLive) View(_ context.Context, f func(ledger.Reader) error) error {
	return f(liveReader{&memoryReader{}, s.Memory})
}

type liveReader struct {
	*memoryReader
	m *Memory
}

func (r liveReader) Head(ctx context.Context, log ledger.Log) (ledger.Head, error) {
	r.memoryReader.state = r.m.snapshot()
	return r.memoryReader.Head(ctx, log)
}

type withTx struct {
	*Memory
	wrap func(ledger.Tx) ledger.Tx
}

func (s withTx) Update(ctx context.Context, f func(ledger.Tx) error) error {
	return s.Memory.Update(ctx, func(tx ledger.Tx) error { return f(s.wrap(tx)) })
}

type anyHead struct {
	ledger.Tx
	m *Memory
}

func (tx anyHead) MoveHead(ctx context.Context, log ledger.Log, _, new ledger.Head) error {
	old, err := tx.Head(ctx, log)
	if err != nil {
		return err
	}
	return tx.Tx.MoveHead(ctx, log, old, new)
}

type roundsTime struct{ ledger.Tx }

func (tx roundsTime) MoveHead(ctx context.Context, log ledger.Log, old, new ledger.Head) error {
	new.At -= new.At % 1000
	return tx.Tx.MoveHead(ctx, log, old, new)
}

type noConflict struct{ ledger.Tx }

func (tx noConflict) PublishCheckpoint(ctx context.Context, log ledger.Log, p ledger.Published) error {
	tx.Tx.PublishCheckpoint(ctx, log, p)
	return nil
}

type anySQL struct{ *Memory }

func (anySQL) Exec(string) error { return nil }

type withReader struct {
	*Memory
	wrap func(ledger.Reader) ledger.Reader
}

func (s withReader) View(ctx context.Context, f func(ledger.Reader) error) error {
	return s.Memory.View(ctx, func(r ledger.Reader) error { return f(s.wrap(r)) })
}

type sortsHashes struct{ ledger.Reader }

func (r sortsHashes) Hashes(ctx context.Context, log ledger.Log, positions []int64) ([]tlog.Hash, error) {
	sorted := slices.Clone(positions)
	slices.Sort(sorted)
	return r.Reader.Hashes(ctx, log, sorted)
}

type zeroHashes struct{ ledger.Reader }

func (r zeroHashes) Hashes(ctx context.Context, log ledger.Log, positions []int64) ([]tlog.Hash, error) {
	h, err := r.Reader.Hashes(ctx, log, positions)
	if err != nil {
		return make([]tlog.Hash, len(positions)), nil
	}
	return h, nil
}

type shortEntries struct{ ledger.Reader }

func (r shortEntries) Entries(ctx context.Context, log ledger.Log, from, to int64) ([][]byte, error) {
	head, err := r.Head(ctx, log)
	if err != nil {
		return nil, err
	}
	return r.Reader.Entries(ctx, log, min(from, head.Size), min(to, head.Size))
}

type lastForFirst struct{ ledger.Reader }

func (r lastForFirst) CheckpointFor(ctx context.Context, log ledger.Log, idx int64) (ledger.Published, error) {
	p, err := r.LastCheckpoint(ctx, log)
	if p.Size <= idx {
		return ledger.Nothing(), err
	}
	return p, err
}

type noLimit struct{ ledger.Reader }

func (r noLimit) Checkpoints(ctx context.Context, log ledger.Log, after ledger.Published, _ int) ([]ledger.Published, error) {
	return r.Reader.Checkpoints(ctx, log, after, ledger.MaxPage)
}
