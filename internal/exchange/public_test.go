package exchange

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// treeStore has the trees alone, in memory.
type treeStore struct {
	Store
	*storagetest.Memory
}

func (s treeStore) View(ctx context.Context, f func(ledger.Reader) error) error {
	return s.Memory.View(ctx, f)
}

func (s treeStore) Update(ctx context.Context, f func(ledger.Tx) error) error {
	return s.Memory.Update(ctx, f)
}

// handClock is set by hand.
type handClock struct{ now atomic.Int64 }

func (c *handClock) Now() int64       { return c.now.Load() }
func (c *handClock) Monotonic() int64 { return c.now.Load() }

// stamping are witnesses that cosign everything, with the time in the signature.
// The one named b sleeps through the end of every quarter of an hour.
type stamping struct {
	keys   map[string]*ledger.CosigningKey
	policy *ledger.Policy
	clock  *handClock
}

func newStamping(t *testing.T, clock *handClock, names ...string) (*stamping, string) {
	t.Helper()
	w := &stamping{keys: map[string]*ledger.CosigningKey{}, clock: clock}
	text := ""
	for _, name := range names {
		seed := sha256.Sum256([]byte(name))
		key, err := ledger.NewCosigningKey(name+".example", seed[:])
		if err != nil {
			t.Fatal(err)
		}
		w.keys[name] = key
		text += fmt.Sprintf("witness %s %s https://%s.example\n", name, key.VerifierKey(), name)
	}
	text += "quorum a\n"
	var err error
	if w.policy, err = ledger.ParsePolicy(text); err != nil {
		t.Fatal(err)
	}
	return w, text
}

func (w *stamping) Policy(ledger.Log) *ledger.Policy { return w.policy }

func (w *stamping) Ask(_ context.Context, who ledger.Witness, c ledger.Checkpoint, _ []byte, _ ledger.ProveFrom) ([]byte, error) {
	now := w.clock.Now()
	if who.Name == "b" && now%PublicEvery > PublicEvery-10_000 {
		return nil, errors.New("asleep")
	}
	return w.keys[who.Name].Cosign(c, now), nil
}

// quarterOf runs the signer through a quarter of an hour, once a second, while
// entries are added at the seconds given, and returns what the public sees then.
func quarterOf(t *testing.T, phase int64, seconds []int64, names ...string) []byte {
	t.Helper()
	ctx, begin := context.Background(), int64(1_800_000_000_000)/PublicEvery*PublicEvery
	clock := &handClock{}
	w, policy := newStamping(t, clock, names...)
	tree := storagetest.NewMemory()
	x := &Exchange{Config: Config{Store: treeStore{Memory: tree}, Clock: clock}}
	x.dir.Store(watched(t, policy))
	p := ledger.NewPublisher(tree, ledger.Ev, storagetest.Key(ledger.Ev), storagetest.NewAnchor(), w)
	added := 0
	for s := int64(0); s < PublicEvery/1000; s++ {
		clock.now.Store(begin + s*1000 + phase)
		if slices.Contains(seconds, s) {
			if err := storagetest.Append(tree, ledger.Ev, clock.Now(), fmt.Appendf(nil, "entry %d", added)); err != nil {
				t.Fatal(err)
			}
			added++
		}
		if _, _, err := p.Step(ctx, clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	clock.now.Store(begin + PublicEvery)
	note, err := x.PublicCheckpoint(ctx, ledger.Ev)
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// watched is a directory under a policy of witnesses.
func watched(t *testing.T, policy string) *directory.State {
	t.Helper()
	council := statement.NewSigningKey(make([]byte, 32))
	vkey := func(log ledger.Log) string {
		key, err := ledger.VerifierKey(log.Origin("ledger.example"), council.Public())
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	g := &directory.Genesis{Name: "test", Demo: true, Council: directory.Council{K: 1, Keys: []ed25519.PublicKey{council.Public()}}, Delegates: []directory.Delegate{},
		Logs: directory.Logs{Dir: vkey(ledger.Dir), Ev: vkey(ledger.Ev)}, Witnesses: []directory.Witness{}, Quorum: directory.Quorum{Dir: policy, Ev: policy}}
	payload, err := directory.New().Prepare(g, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, payload, council)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := directory.Leaf(d)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := directory.New().Apply(leaf)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPublicTimeTellsNothing: witnesses write the time into their signatures.
// What the public sees of a quarter of an hour is the same in every byte,
// whenever in it the entries were added.
func TestPublicTimeTellsNothing(t *testing.T) {
	const last = PublicEvery/1000 - ledger.PublicClosing/1000
	r := rand.New(rand.NewPCG(1, 2))
	for i, names := range [][]string{{"a"}, {"a", "b"}} {
		want := map[int]string{}
		same := func(entries int, seconds ...int64) {
			t.Helper()
			note := string(quarterOf(t, int64(i)*337, seconds, names...))
			if before, ok := want[entries]; ok && note != before {
				t.Errorf("entries at %v tell themselves:\n%s\n%s", seconds, note, before)
			}
			want[entries] = note
		}
		same(0)
		same(1, 0)
		same(1, last-1)
		same(1, 601)
		same(2, 1, last-1)
		same(2, last-2, last-1)
		same(2, r.Int64N(400), 400+r.Int64N(400))
		same(1, 5, last+1, last+2) // what is added in the last seconds waits for the next quarter of an hour
	}
}

// TestPublicAt: the checkpoint that closes a quarter of an hour is shown, and
// else the last before it.
func TestPublicAt(t *testing.T) {
	const quarter = 100 * PublicEvery
	type cp struct {
		size   int64
		before int64 // of the quarter hour, ms
		quorum bool
	}
	for what, tt := range map[string]struct {
		published []cp
		want      int // index, -1 for none
	}{
		"nothing":                        {nil, -1},
		"none under quorum":              {[]cp{{1, 5000, false}, {2, 2000, false}}, -1},
		"one long before":                {[]cp{{1, 500_000, true}}, 0},
		"the last of several":            {[]cp{{1, 500_000, true}, {2, 4000, true}, {3, 3001, true}}, 2},
		"one that closes":                {[]cp{{1, 500_000, true}, {2, 3000, true}, {3, 2000, true}, {4, 0, true}}, 1},
		"one that closes at the mark":    {[]cp{{1, 500_000, true}, {2, 0, true}}, 1},
		"one after the mark":             {[]cp{{1, 500_000, true}, {2, -1, true}}, 0},
		"the first under quorum closes":  {[]cp{{1, 500_000, true}, {2, 3000, false}, {3, 2000, true}, {4, 1000, true}}, 2},
		"a clock behind another's":       {[]cp{{1, 500_000, true}, {2, -10, true}, {3, 2000, true}, {4, 1000, true}}, 2},
		"the first of all closes":        {[]cp{{1, 1000, true}, {2, 500, true}}, 0},
		"none that closes has a quorum":  {[]cp{{1, 5000, true}, {2, 3000, false}}, 0},
		"again, with a cosignature more": {[]cp{{1, 3000, false}, {1, 1500, true}, {1, 1000, true}}, 1},
	} {
		tree := storagetest.NewMemory()
		if err := storagetest.Append(tree, ledger.Ev, 1, storagetest.Leaves("x", 8)...); err != nil {
			t.Fatal(err)
		}
		var all []ledger.Published
		for _, c := range tt.published {
			p := ledger.Published{Size: c.size, At: quarter - c.before, Quorum: c.quorum, Note: fmt.Appendf(nil, "%s %d", what, len(all))}
			if err := tree.Update(context.Background(), func(tx ledger.Tx) error {
				last, err := tx.LastCheckpoint(context.Background(), ledger.Ev)
				if err == nil && p.Size == last.Size {
					p.Seq = last.Seq + 1
				}
				return errors.Join(err, tx.PublishCheckpoint(context.Background(), ledger.Ev, p))
			}); err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		var got ledger.Published
		err := tree.View(context.Background(), func(r ledger.Reader) (err error) {
			got, err = publicAt(context.Background(), r, ledger.Ev, quarter)
			return err
		})
		if err != nil || got.Exists() != (tt.want >= 0) || tt.want >= 0 && string(got.Note) != string(all[tt.want].Note) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}
