package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/tlog"
)

func headOf(t testing.TB, s ledger.Storage) (h ledger.Head) {
	t.Helper()
	view(t, s, func(r ledger.Reader) {
		var err error
		if h, err = r.Head(context.Background(), ledger.Ev); err != nil {
			t.Fatal(err)
		}
	})
	return h
}

func step(t testing.TB, p *ledger.Publisher, now int64) (ledger.Published, bool) {
	t.Helper()
	got, did, err := p.Step(context.Background(), now)
	if err != nil {
		t.Fatal(err)
	}
	return got, did
}

func TestPublisherSchedule(t *testing.T) {
	m := storagetest.NewMemory()
	p := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{})
	const five, quarter, closing = ledger.RefreshEvery, ledger.PublicEvery, ledger.PublicClosing
	for i, c := range []struct {
		grow int
		now  int64
		did  bool
		size int64
		seq  int
	}{
		{0, 1000, true, 0, 0}, // the empty log has a checkpoint too
		{0, 2000, false, 0, 0},
		{3, 2000, true, 3, 0},
		{0, 2000, false, 3, 0},
		{0, 2000 + five - 1, false, 3, 0},
		{0, 2000 + five, true, 3, 1},
		{0, 2000 + five, false, 3, 1},
		{0, 2000, false, 3, 1}, // a clock that went back
		{0, 2000 + 2*five, true, 3, 2},
		{1, 2001 + 2*five, true, 4, 0},
		{0, quarter - closing - 1, false, 4, 0},
		{0, quarter - closing, true, 4, 1}, // whether or not it has grown
		{0, quarter - closing + 1, false, 4, 1},
		{0, quarter, false, 4, 1},
		{1, 2*quarter - closing - 1, true, 5, 0},
		{1, 2*quarter - closing, true, 6, 0},
		{1, 2*quarter - closing + 1, true, 7, 0}, // members do not wait
		{0, 2*quarter - 1, false, 7, 0},
		{0, 2*quarter - closing + five, false, 7, 0},
		{0, 2*quarter - closing + five + 1, true, 7, 1},
		{0, 5 * quarter, true, 7, 2},
		{0, 5*quarter + five - 1, false, 7, 2},
	} {
		if c.grow > 0 {
			if err := storagetest.Append(m, ledger.Ev, c.now, storagetest.Leaves("x", c.grow)...); err != nil {
				t.Fatal(err)
			}
		}
		got, did := step(t, p, c.now)
		if did != c.did || got.Size != c.size || got.Seq != c.seq {
			t.Errorf("step %d: published %v as %d.%d, want %v as %d.%d", i, did, got.Size, got.Seq, c.did, c.size, c.seq)
		}
		said, err := ledger.ParseCheckpoint(got.Note, key.Verifier())
		if err != nil || said.Size != got.Size || said.Root != got.Root || got.Root != headOf(t, m).Root {
			t.Errorf("step %d: note of %+v, %v", i, said, err)
		}
		if did && got.At != c.now {
			t.Errorf("step %d: at %d, want %d", i, got.At, c.now)
		}
	}
	view(t, m, func(r ledger.Reader) {
		if found, err := ledger.Check(context.Background(), r, ledger.Ev, key.Verifier()); err != nil || len(found) > 0 {
			t.Errorf("%v, %v", found, err)
		}
	})
}

// TestPublisherHaltsOnRollback runs every way in which a ledger can stop
// extending what was published.
func TestPublisherHaltsOnRollback(t *testing.T) {
	ctx := context.Background()
	other := func() *storagetest.Memory { // as long, but another history
		m := storagetest.NewMemory()
		if err := storagetest.Append(m, ledger.Ev, 1, storagetest.Leaves("other", 12)...); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for what, c := range map[string]struct {
		change func(m *storagetest.Memory, before ledger.Head) ledger.Storage
		want   error
	}{
		"untouched":       {func(m *storagetest.Memory, _ ledger.Head) ledger.Storage { return m }, nil},
		"restored backup": {func(m *storagetest.Memory, h ledger.Head) ledger.Storage { m.Truncate(ledger.Ev, h); return m }, ledger.ErrRollback},
		"restored backup, grown past": {func(m *storagetest.Memory, h ledger.Head) ledger.Storage {
			m.Truncate(ledger.Ev, h)
			storagetest.Append(m, ledger.Ev, 2, storagetest.Leaves("new", 20)...)
			return m
		}, ledger.ErrRollback},
		"restored backup, tail imported": {func(m *storagetest.Memory, h ledger.Head) ledger.Storage {
			m.Truncate(ledger.Ev, h)
			for i := h.Size; i < 13; i++ {
				storagetest.Append(m, ledger.Ev, 2, vectorEntry(i))
			}
			return m
		}, nil},
		"another database":  {func(*storagetest.Memory, ledger.Head) ledger.Storage { return other() }, ledger.ErrRollback},
		"an empty database": {func(*storagetest.Memory, ledger.Head) ledger.Storage { return storagetest.NewMemory() }, ledger.ErrRollback},
		"edited checkpoint row": {func(m *storagetest.Memory, _ ledger.Head) ledger.Storage {
			m.ForgeCheckpoint(ledger.Ev, ledger.Published{Size: 12, Root: tlog.Hash{1}})
			return m
		}, ledger.ErrRollback},
		"edited edge": {func(m *storagetest.Memory, _ ledger.Head) ledger.Storage {
			m.ForgeNode(ledger.Ev, tlog.StoredHashIndex(3, 0), tlog.Hash{1})
			return m
		}, ledger.ErrTreeMismatch},
		"edited head": {func(m *storagetest.Memory, h ledger.Head) ledger.Storage {
			m.ForgeHead(ledger.Ev, h)
			return m
		}, ledger.ErrRollback},
	} {
		m := grown(t, 7)
		before := headOf(t, m)
		for i := int64(7); i < 12; i++ {
			if err := storagetest.Append(m, ledger.Ev, 1, vectorEntry(i)); err != nil {
				t.Fatal(err)
			}
		}
		anchor := storagetest.NewAnchor()
		step(t, ledger.NewPublisher(m, ledger.Ev, key, anchor, ledger.Unwatched{}), 1)
		if what == "untouched" {
			storagetest.Append(m, ledger.Ev, 1, []byte("grown"))
		}
		s := c.change(m, before)
		_, did, err := ledger.NewPublisher(s, ledger.Ev, key, anchor, ledger.Unwatched{}).Step(ctx, 2)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) || did != (err == nil) {
			t.Errorf("%s: published %v, error %v, want %v", what, did, err, c.want)
		}
	}
}

func TestPublisherNeedsItsAnchor(t *testing.T) {
	ctx := context.Background()
	m := grown(t, 3)
	first := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{})
	step(t, first, 1)
	lost := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{})
	if _, _, err := lost.Step(ctx, 2); !errors.Is(err, ledger.ErrAnchorEmpty) {
		t.Fatalf("with an empty anchor: %v", err)
	}
	if err := lost.Adopt(ctx); err != nil {
		t.Fatal(err)
	}
	if _, did := step(t, lost, 2); did {
		t.Error("published again without need")
	}
	if err := m.Truncate(ledger.Ev, ledger.Head{Size: 0, Root: ledger.EmptyRoot()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := lost.Step(ctx, 3); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("rolled back after adopting: %v", err)
	}

	fresh := ledger.NewPublisher(storagetest.NewMemory(), ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{})
	if err := fresh.Adopt(ctx); err != nil {
		t.Errorf("adopting where nothing was published: %v", err)
	}
	step(t, fresh, 1)

	forged := grown(t, 3)
	step(t, ledger.NewPublisher(forged, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{}), 1)
	forged.ForgeCheckpoint(ledger.Ev, ledger.Published{Size: 3, Root: tlog.Hash{1}})
	if err := ledger.NewPublisher(forged, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{}).Adopt(ctx); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("adopted what the log does not extend: %v", err)
	}
}

func TestPublisherRefusesAForeignAnchor(t *testing.T) {
	ctx := context.Background()
	anchor := storagetest.NewAnchor()
	other, err := ledger.SignCheckpoint(ctx, storagetest.Key(ledger.Dir), ledger.Checkpoint{Origin: "ledger.example/dir", Size: 0, Root: ledger.EmptyRoot()})
	if err != nil {
		t.Fatal(err)
	}
	for what, note := range map[string][]byte{"another log": other, "garbage": []byte("x\n")} {
		anchor.Keep(ctx, ledger.Ev, note)
		if _, _, err := ledger.NewPublisher(storagetest.NewMemory(), ledger.Ev, key, anchor, ledger.Unwatched{}).Step(ctx, 1); err == nil {
			t.Errorf("%s: published", what)
		}
	}
}

// scriptedAnchor and scriptedSigner let a test act between the steps.
type scriptedAnchor struct {
	ledger.Anchor
	last, keep func() error
}

func (a scriptedAnchor) Last(ctx context.Context, log ledger.Log) ([]byte, error) {
	if a.last != nil {
		if err := a.last(); err != nil {
			return nil, err
		}
	}
	return a.Anchor.Last(ctx, log)
}

func (a scriptedAnchor) Keep(ctx context.Context, log ledger.Log, note []byte) error {
	if a.keep != nil {
		if err := a.keep(); err != nil {
			return err
		}
	}
	return a.Anchor.Keep(ctx, log, note)
}

func TestPublisherPublishesNothingHalf(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("broken")
	fails := func() error { return broken }
	for what, c := range map[string]struct {
		signer ledger.Signer
		anchor scriptedAnchor
	}{
		"signer":      {lyingSigner{key, func([]byte) ([]byte, error) { return nil, broken }}, scriptedAnchor{}},
		"anchor read": {key, scriptedAnchor{last: fails}},
		"anchor kept": {key, scriptedAnchor{keep: fails}},
	} {
		m := grown(t, 3)
		c.anchor.Anchor = storagetest.NewAnchor()
		_, did, err := ledger.NewPublisher(m, ledger.Ev, c.signer, c.anchor, ledger.Unwatched{}).Step(ctx, 1)
		if !errors.Is(err, broken) || did {
			t.Errorf("%s: published %v, %v", what, did, err)
		}
		view(t, m, func(r ledger.Reader) {
			if last, err := r.LastCheckpoint(ctx, ledger.Ev); err != nil || last.Exists() {
				t.Errorf("%s: %+v, %v", what, last, err)
			}
		})
		c.anchor.last, c.anchor.keep = nil, nil
		if _, did := step(t, ledger.NewPublisher(m, ledger.Ev, key, c.anchor, ledger.Unwatched{}), 2); !did {
			t.Errorf("%s: did not recover", what)
		}
	}
}

// TestPublisherHoldsNoTransaction: while the signer and the anchor are asked,
// others write. A publisher that held a transaction would never return.
func TestPublisherHoldsNoTransaction(t *testing.T) {
	ctx := context.Background()
	m := grown(t, 3)
	write := func() error { return storagetest.Append(m, ledger.Ev, 1, []byte("meanwhile")) }
	signer := lyingSigner{key, func(text []byte) ([]byte, error) {
		if err := write(); err != nil {
			return nil, err
		}
		return key.Sign(ctx, text)
	}}
	anchor := scriptedAnchor{Anchor: storagetest.NewAnchor(), last: write, keep: write}
	got, did := step(t, ledger.NewPublisher(m, ledger.Ev, signer, anchor, ledger.Unwatched{}), 1)
	if !did || got.Size != 4 || headOf(t, m).Size != 6 {
		t.Errorf("published %v at %d of %d", did, got.Size, headOf(t, m).Size)
	}
}

// TestPublisherLosesARace: a second publisher acts just before the first one
// stores its note, or just after it read an empty anchor.
func TestPublisherLosesARace(t *testing.T) {
	shared := storagetest.NewAnchor()
	m := grown(t, 3)
	second := ledger.NewPublisher(m, ledger.Ev, key, shared, ledger.Unwatched{})
	overtake := scriptedAnchor{Anchor: shared, keep: func() error {
		storagetest.Append(m, ledger.Ev, 1, []byte("meanwhile"))
		step(t, second, 5)
		return nil
	}}
	got, did := step(t, ledger.NewPublisher(m, ledger.Ev, key, overtake, ledger.Unwatched{}), 1)
	if did || got.Size != 4 || got.At != 5 {
		t.Errorf("the loser published %v, says %d at %d", did, got.Size, got.At)
	}

	shared = storagetest.NewAnchor()
	m = grown(t, 3)
	second = ledger.NewPublisher(m, ledger.Ev, key, shared, ledger.Unwatched{})
	if _, did := step(t, ledger.NewPublisher(m, ledger.Ev, key, &lateAnchor{Anchor: shared, after: func() { step(t, second, 1) }}, ledger.Unwatched{}), 1); did {
		t.Error("published although the other had just done so")
	}
}

// lateAnchor answers its first Last, then lets the other publisher act.
type lateAnchor struct {
	ledger.Anchor
	after func()
}

func (a *lateAnchor) Last(ctx context.Context, log ledger.Log) ([]byte, error) {
	note, err := a.Anchor.Last(ctx, log)
	if a.after != nil {
		a.after()
		a.after = nil
	}
	return note, err
}

// TestPublisherAfterACrash: killed after the anchor, before the database. The
// next step publishes the same, for the head still extends the anchor.
func TestPublisherAfterACrash(t *testing.T) {
	anchor := storagetest.NewAnchor()
	m := grown(t, 3)
	crash := scriptedAnchor{Anchor: anchor, keep: nil}
	ctx, cancel := context.WithCancel(context.Background())
	crash.keep = func() error { cancel(); return nil }
	if _, did, err := ledger.NewPublisher(m, ledger.Ev, key, crash, ledger.Unwatched{}).Step(ctx, 1); err == nil || did {
		t.Fatalf("published after the crash: %v, %v", did, err)
	}
	if got, did := step(t, ledger.NewPublisher(m, ledger.Ev, key, anchor, ledger.Unwatched{}), 2); !did || got.Size != 3 || got.Seq != 0 {
		t.Errorf("after the crash: %v, %+v", did, got)
	}
}

// ring is the Signer of a log whose key is being renewed.
type ring struct {
	ledger.Signer
	keys []ledger.Signer
	err  error
}

func (r *ring) Signers() ([]ledger.Signer, error) { return r.keys, r.err }

// While a key is renewed every checkpoint bears both signatures, so that whoever
// knows either accepts it; what stood before is signed anew at once. If one of
// the keys does not sign, nothing is published.
func TestKeyring(t *testing.T) {
	m := storagetest.NewMemory()
	old, err := ledger.NewSigningKey(key.Verifier().Name(), bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	next, err := ledger.NewSigningKey(key.Verifier().Name(), bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys := &ring{Signer: old, keys: []ledger.Signer{old}}
	anchor := storagetest.NewAnchor()
	p := ledger.NewPublisher(m, ledger.Ev, keys, anchor, ledger.Unwatched{})
	signed := func(got ledger.Published, by ...*ledger.SigningKey) {
		t.Helper()
		for _, k := range []*ledger.SigningKey{old, next} {
			_, err := ledger.ParseCheckpoint(got.Note, k.Verifier())
			if want := slices.Contains(by, k); (err == nil) != want {
				t.Errorf("signed by %s: %v, want %v", k.VerifierKey(), err, want)
			}
		}
	}
	got, _ := step(t, p, 1000)
	signed(got, old)
	keys.keys = []ledger.Signer{old, next}
	got, did := step(t, p, 2000)
	if !did || got.Seq != 1 {
		t.Errorf("the log has not grown, and its checkpoint lacks a signature: %v, seq %d", did, got.Seq)
	}
	signed(got, old, next)
	if _, did := step(t, p, 3000); did {
		t.Error("published again although both signed")
	}
	if err := p.Consult(t.Context(), 3000); err != nil {
		t.Errorf("consult: %v", err)
	}
	keys.err = errors.New("one of them is away")
	if _, _, err := p.Step(t.Context(), 9_000_000); !errors.Is(err, keys.err) {
		t.Errorf("with a key away: %v", err)
	}
	keys.err, keys.keys = nil, []ledger.Signer{next}
	got, _ = step(t, p, 10_000_000)
	signed(got, next)
}

// failing is an anchor outside that is away for a while.
type failing struct {
	ledger.Anchor
	last, keep error
}

func (f *failing) Last(ctx context.Context, log ledger.Log) ([]byte, error) {
	if f.last != nil {
		return nil, f.last
	}
	return f.Anchor.Last(ctx, log)
}

func (f *failing) Keep(ctx context.Context, log ledger.Log, note []byte) error {
	if f.keep != nil {
		return f.keep
	}
	return f.Anchor.Keep(ctx, log, note)
}

// An anchor that cannot be read or written lets nothing be published; what is
// owed then comes with the next step.
func TestAnchorAway(t *testing.T) {
	m := storagetest.NewMemory()
	anchor := &failing{Anchor: storagetest.NewAnchor()}
	p := ledger.NewPublisher(m, ledger.Ev, key, anchor, ledger.Unwatched{})
	first, _ := step(t, p, 1000)
	grow(t, m, 3)
	away := errors.New("sealed")
	for _, f := range []failing{{last: away}, {keep: away}, {last: away, keep: away}} {
		anchor.last, anchor.keep = f.last, f.keep
		if _, did, err := p.Step(t.Context(), 2000); did || !errors.Is(err, away) || errors.Is(err, ledger.ErrRollback) || errors.Is(err, ledger.ErrAnchorEmpty) {
			t.Errorf("%+v: %v %v", f, did, err)
		}
		view(t, m, func(r ledger.Reader) {
			if last, err := r.LastCheckpoint(t.Context(), ledger.Ev); err != nil || last.Size != first.Size {
				t.Errorf("published %d, %v", last.Size, err)
			}
		})
	}
	anchor.last, anchor.keep = nil, nil
	if got, did := step(t, p, 3000); !did || got.Size != first.Size+3 {
		t.Errorf("once it is back: %v, size %d", did, got.Size)
	}
}
