package ledger_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

func cosigningKey(t testing.TB, name string) *ledger.CosigningKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := ledger.NewCosigningKey(name, seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// watchers are witnesses in this process. Each checks what a witness checks and
// can be told to misbehave.
type watchers struct {
	policy *ledger.Policy
	mu     sync.Mutex
	all    map[string]*watcher
	at     int64 // their time, ms
}

type watcher struct {
	key   *ledger.CosigningKey
	seen  ledger.Checkpoint
	delay chan struct{} // not nil: answers when it is closed
	fail  error
	asked int
}

func newWatchers(t testing.TB, quorum string, names ...string) *watchers {
	t.Helper()
	w := &watchers{all: map[string]*watcher{}, at: 1_700_000_000_000}
	var text strings.Builder
	for _, name := range names {
		k := cosigningKey(t, name+".example")
		w.all[name] = &watcher{key: k, seen: ledger.Checkpoint{Root: ledger.EmptyRoot()}}
		fmt.Fprintf(&text, "witness %s %s https://%s.example\n", name, k.VerifierKey(), name)
	}
	p, err := ledger.ParsePolicy(text.String() + quorum)
	if err != nil {
		t.Fatal(err)
	}
	w.policy = p
	return w
}

func (w *watchers) Policy(ledger.Log) *ledger.Policy { return w.policy }

func (w *watchers) Ask(ctx context.Context, who ledger.Witness, c ledger.Checkpoint, signed []byte, prove ledger.ProveFrom) ([]byte, error) {
	w.mu.Lock()
	x := w.all[who.Name]
	x.asked++
	delay, fail := x.delay, x.fail
	w.mu.Unlock()
	if delay != nil {
		select {
		case <-delay:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if fail != nil {
		return nil, fail
	}
	if bytes.Count(signed, []byte("\n\u2014 ")) != 1 {
		return nil, errors.New("more than the log's own signature")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Size < x.seen.Size {
		return nil, fmt.Errorf("size %d: %w", x.seen.Size, ledger.ErrContradicted)
	}
	proof, err := prove(ctx, x.seen.Size)
	if err != nil {
		return nil, err
	}
	old := x.seen
	old.Origin = c.Origin
	if err := ledger.VerifyConsistency(proof, old, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ledger.ErrContradicted, err)
	}
	x.seen = c
	return x.key.Cosign(c, w.at), nil
}

func grow(t testing.TB, s ledger.Storage, n int) {
	t.Helper()
	if err := storagetest.Append(s, ledger.Ev, 1, storagetest.Leaves("more", n)...); err != nil {
		t.Fatal(err)
	}
}

func TestCosignAsSpecified(t *testing.T) {
	k, o := cosigningKey(t, "a.example"), newWitness("a.example")
	signed := signedEmpty(t)
	c, err := ledger.ParseCheckpoint(signed, key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	if k.VerifierKey() != o.vkey() {
		t.Errorf("key %s, want %s", k.VerifierKey(), o.vkey())
	}
	want := o.cosign(slices.Clone(signed), 1234)[len(signed):]
	if got := k.Cosign(c, 1234_999); !bytes.Equal(got, want) {
		t.Errorf("line %q, want %q", got, want)
	}
	full := slices.Concat(signed, want)
	if at, ok := ledger.CosignedAt(full, k.Verifier()); !ok || at != 1234_000 {
		t.Errorf("cosigned at %d, %v", at, ok)
	}
	if at, ok := ledger.CosignedAt(signed, k.Verifier()); ok {
		t.Errorf("not cosigned, but at %d", at)
	}
	if again, err := ledger.ParseCheckpoint(full, key.Verifier()); err != nil || again != c {
		t.Errorf("a cosigned checkpoint: %+v, %v", again, err)
	}
	for _, printed := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s", *k, *k, k, k)} {
		if strings.Contains(printed, "0x") && !strings.Contains(printed, "redacted") {
			t.Errorf("prints %s", printed)
		}
	}
}

func TestPublishUnderQuorum(t *testing.T) {
	m := storagetest.NewMemory()
	w := newWatchers(t, "group g 2 a b c\nquorum g\n", "a", "b", "c")
	p := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), w)
	grow(t, m, 5)
	got, did := step(t, p, 1000)
	if !did || !got.Quorum || got.Cosigs < 2 || w.policy.Standing(got.Note) != ledger.Confirmed {
		t.Fatalf("published %v, quorum %v, %d cosignatures", did, got.Quorum, got.Cosigs)
	}
	if _, err := ledger.ParseCheckpoint(got.Note, key.Verifier()); err != nil {
		t.Error(err)
	}
	for range 100 { // the third may have come late
		if got, _ = step(t, p, 2000); got.Cosigs == 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if got.Cosigs != 3 || got.Seq > 1 {
		t.Errorf("%d cosignatures under seq %d", got.Cosigs, got.Seq)
	}
	if again, did := step(t, p, 3000); did || again.Seq != got.Seq {
		t.Errorf("published again as seq %d", again.Seq)
	}
}

// What too few cosign is published as that, evidence waits, and late
// cosignatures are added.
func TestPublishWithoutQuorum(t *testing.T) {
	m := storagetest.NewMemory()
	w := newWatchers(t, "group g all a b\nquorum g\n", "a", "b")
	late := make(chan struct{})
	w.all["b"].delay = late
	p := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), w)
	grow(t, m, 5)
	got, did := step(t, p, 1000)
	if !did || got.Quorum || got.Cosigs != 1 || w.policy.Standing(got.Note) != ledger.Provisional {
		t.Fatalf("published %v, quorum %v, %d cosignatures", did, got.Quorum, got.Cosigs)
	}
	covered := func() (c ledger.Published) {
		view(t, m, func(r ledger.Reader) {
			var err error
			if c, err = r.CheckpointFor(t.Context(), ledger.Ev, 4); err != nil {
				t.Fatal(err)
			}
		})
		return c
	}
	if covered().Exists() {
		t.Error("evidence under a checkpoint without quorum")
	}
	close(late)
	for range 1000 {
		if got, did = step(t, p, 1500); did {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !got.Quorum || got.Seq != 1 || got.Size != 5 || covered().Seq != 1 {
		t.Errorf("late cosignature: %+v", got)
	}
	if w.all["a"].asked != 1 {
		t.Errorf("a witness that had answered was asked %d times", w.all["a"].asked)
	}
}

// A witness alone may claim what it likes; when there is no quorum without
// those who contradict, the publisher stops.
func TestContradicted(t *testing.T) {
	larger := fmt.Errorf("it has 99 entries: %w", ledger.ErrContradicted)
	for _, c := range []struct {
		against []string
		halt    bool
	}{{nil, false}, {[]string{"a"}, false}, {[]string{"a", "b"}, true}, {[]string{"a", "b", "c"}, true}} {
		m := storagetest.NewMemory()
		w := newWatchers(t, "group g 2 a b c\nquorum g\n", "a", "b", "c")
		for _, name := range c.against {
			w.all[name].fail = larger
		}
		p := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), w)
		grow(t, m, 5)
		got, did, err := p.Step(t.Context(), 1000)
		if c.halt != errors.Is(err, ledger.ErrRollback) || c.halt == did {
			t.Errorf("%v against: published %v, %v", c.against, did, err)
		}
		if !c.halt && len(c.against) == 1 && (!got.Quorum || !errors.Is(p.Doubts()["a"], ledger.ErrContradicted)) {
			t.Errorf("%v against: %+v, doubts %v", c.against, got, p.Doubts())
		}
	}
}

// An old backup is noticed before anything new is signed.
func TestConsult(t *testing.T) {
	m, anchor := storagetest.NewMemory(), storagetest.NewAnchor()
	w := newWatchers(t, "group g 2 a b\nquorum g\n", "a", "b")
	grow(t, m, 5)
	p := ledger.NewPublisher(m, ledger.Ev, key, anchor, w)
	if err := p.Consult(t.Context(), 5000); err != nil {
		t.Error("before anything was published:", err)
	}
	step(t, p, 1000)
	before := headOf(t, m)
	if err := ledger.NewPublisher(m, ledger.Ev, key, anchor, w).Consult(t.Context(), 5000); err != nil {
		t.Error("as it should be:", err)
	}
	old := storagetest.NewMemory() // a machine restored whole, with its anchor, and grown since
	lost := storagetest.NewAnchor()
	grow(t, old, 3)
	step(t, ledger.NewPublisher(old, ledger.Ev, key, lost, ledger.Unwatched{}), 900)
	if err := ledger.NewPublisher(old, ledger.Ev, key, lost, w).Consult(t.Context(), 5000); !errors.Is(err, ledger.ErrRollback) {
		t.Error("an old backup:", err)
	}
	for _, x := range w.all {
		x.fail = errors.New("unreachable")
	}
	if err := ledger.NewPublisher(m, ledger.Ev, key, anchor, w).Consult(t.Context(), 5000); err != nil {
		t.Error("nobody there:", err)
	}
	if headOf(t, m) != before {
		t.Error("consulting changed the ledger")
	}
}

// A signature that is not the witness's is not published.
func TestFalseCosignature(t *testing.T) {
	m := storagetest.NewMemory()
	w := newWatchers(t, "quorum a\n", "a")
	w.all["a"].key = cosigningKey(t, "b.example")
	grow(t, m, 1)
	got, did := step(t, ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), w), 1)
	if !did || got.Quorum || got.Cosigs != 0 || bytes.Contains(got.Note, []byte("b.example")) {
		t.Errorf("%+v: %s", got, got.Note)
	}
}

// A checkpoint that is published once more is cosigned once more: who reads it
// sees by the times that witnesses still watch. The line of one that does not
// answer now stays as it was.
func TestRefreshIsCosignedAnew(t *testing.T) {
	m := storagetest.NewMemory()
	w := newWatchers(t, "group g 2 a b c\nquorum g\n", "a", "b", "c")
	p := ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), w)
	grow(t, m, 5)
	begun := w.at
	times := func(note []byte) (new, old int) {
		t.Helper()
		for _, x := range w.all {
			switch at, ok := ledger.CosignedAt(note, x.key.Verifier()); {
			case ok && at == w.at:
				new++
			case ok && at == begun:
				old++
			}
		}
		return new, old
	}
	for now := int64(1000); ; now += 11_000 { // until all three lines are there
		if got, _ := step(t, p, now); got.Cosigs == 3 {
			break
		}
	}
	w.mu.Lock()
	w.at += ledger.RefreshEvery
	w.all["c"].fail = errors.New("asleep")
	w.mu.Unlock()
	got, did := step(t, p, 1_000_000+ledger.RefreshEvery)
	if new, old := times(got.Note); !did || !got.Quorum || got.Cosigs != 3 || new != 2 || old != 1 {
		t.Errorf("published %v: %d lines of now, %d of before, %d in all", did, new, old, got.Cosigs)
	}
}
