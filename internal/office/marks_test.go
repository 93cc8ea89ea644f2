package office

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

func noteOf(size int64) []byte { return fmt.Appendf(nil, "origin\n%d\nroot\n", size) }

// The larger of two programs' marks stays, whoever writes last.
func TestMarksAreMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) marks {
			size := rapid.Int64Range(-1, 5)
			one := func(part string) []byte {
				if n := size.Draw(t, name+part); n >= 0 {
					return noteOf(n)
				}
				return nil
			}
			return marks{V: marksVersion, Dir: one("dir"), Ev: one("ev"), DirCounted: one("dirc"), EvCounted: one("evc"),
				DirUntil: rapid.Int64Range(0, 9).Draw(t, name+"until")}
		}
		a, b := draw("a"), draw("b")
		x, y := merged(a, b), merged(b, a)
		if !x.equal(y) {
			t.Fatalf("%+v and %+v depend on the order", x, y)
		}
		for _, pair := range [][3][]byte{{a.Dir, b.Dir, x.Dir}, {a.Ev, b.Ev, x.Ev}, {a.DirCounted, b.DirCounted, x.DirCounted}} {
			if claimedSize(pair[2]) != max(claimedSize(pair[0]), claimedSize(pair[1])) {
				t.Fatalf("%q of %q and %q", pair[2], pair[0], pair[1])
			}
		}
		if x.DirUntil != max(a.DirUntil, b.DirUntil) {
			t.Fatal("the later time is lost")
		}
	})
}

// A program that began with less does not take away what another wrote.
func TestCommitKeepsWhatIsThere(t *testing.T) {
	n, dir := notebook(t)
	leaves := golden(t)
	older, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.commit(leaves, marks{Dir: noteOf(9), Ev: noteOf(9)}); err != nil {
		t.Fatal(err)
	}
	if err := older.commit(leaves[:4], marks{Dir: noteOf(4), Ev: noteOf(10)}); err != nil {
		t.Fatal(err)
	}
	again, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.leaves) != len(leaves) || !bytes.Equal(again.marks.Dir, noteOf(9)) || !bytes.Equal(again.marks.Ev, noteOf(10)) {
		t.Errorf("%d leaves, %q %q", len(again.leaves), again.marks.Dir, again.marks.Ev)
	}
}

// Entries that the disk damaged are written anew, and nobody is accused.
func TestCommitMendsTheFile(t *testing.T) {
	n, dir := notebook(t)
	leaves := golden(t)[:6]
	damaged := append([][]byte{}, leaves...)
	damaged[3] = []byte(strings.Replace(string(damaged[3]), `"sig":"`, `"sig":"A`, 1))
	if err := n.commit(damaged, marks{Dir: noteOf(6)}); err != nil {
		t.Fatal(err)
	}
	again, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.replay()
	if err := again.commit(leaves, marks{Dir: noteOf(6)}); err != nil {
		t.Fatal(err)
	}
	mended, err := OpenNotebook(dir)
	if err != nil || mended.replay().N() != 6 {
		t.Errorf("%d entries, %v", mended.replay().N(), err)
	}
}

// Whoever holds the folder for ever makes others give up with a clear error,
// and lets them go on once it ends.
func TestLock(t *testing.T) {
	n, dir := notebook(t)
	unlock, err := n.lock()
	if err != nil {
		t.Fatal(err)
	}
	other, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	other.patience = 30 * time.Millisecond
	if err := other.commit(golden(t)[:1], marks{}); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if err := other.keepFeedEnd("d", 1); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if len(other.leaves) != 0 || other.feedEnd("d") != 0 {
		t.Error("held what was not written")
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.commit(golden(t)[:1], marks{}), other.keepFeedEnd("d", 1)); err != nil {
		t.Error(err)
	}
}

// Two programs that read different feeds remember both ends.
func TestFeedEndsAreMerged(t *testing.T) {
	n, dir := notebook(t)
	other, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.keepFeedEnd("d_1", 5), other.keepFeedEnd("d_2", 7), n.keepFeedEnd("d_2", 6)); err != nil {
		t.Fatal(err)
	}
	again, err := OpenNotebook(dir)
	if err != nil || again.feedEnd("d_1") != 5 || again.feedEnd("d_2") != 7 || n.feedEnd("d_2") != 7 {
		t.Errorf("%v %v %v", again.feeds, n.feeds, err)
	}
}

func witness(name string) *ledger.CosigningKey {
	seed := sha256.Sum256([]byte(name))
	k, err := ledger.NewCosigningKey(name+".example", seed[:])
	if err != nil {
		panic(err) // a name and a seed that are valid
	}
	return k
}

// However far f witnesses set their clocks ahead, a checkpoint vouches no longer
// than an honest quorum's times allow.
func TestVouchedUntil(t *testing.T) {
	seed := sha256.Sum256([]byte("log"))
	key, err := ledger.NewSigningKey("exchange.example/ev", seed[:])
	if err != nil {
		t.Fatal(err)
	}
	cp := ledger.Checkpoint{Origin: "exchange.example/ev", Size: 3, Root: sha256.Sum256([]byte("root"))}
	signed, err := ledger.SignCheckpoint(t.Context(), key, cp)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"a", "b", "c", "d", "e"}
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "witness %s %s\n", name, witness(name).VerifierKey())
	}
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.IntRange(1, len(names)).Draw(t, "quorum")
		p, err := ledger.ParsePolicy(fmt.Sprintf("%sgroup g %d %s\nquorum g\n", &text, q, strings.Join(names, " ")))
		if err != nil {
			t.Fatal(err)
		}
		full, times := bytes.Clone(signed), []int64{}
		for _, name := range names {
			at := rapid.Int64Range(0, 20).Draw(t, name) * 1000
			if at == 0 {
				continue // did not cosign
			}
			times = append(times, at)
			full = append(full, witness(name).Cosign(cp, at)...)
		}
		got := vouchedUntil(p, full, 0)
		enough := func(at int64) bool {
			n := 0
			for _, x := range times {
				if x >= at {
					n++
				}
			}
			return n >= q
		}
		if got > 0 && !enough(got) || enough(got+1000) || got == 0 && enough(1) {
			t.Fatalf("until %d, times %v, quorum %d", got, times, q)
		}
	})
	if got := vouchedUntil(nil, signed, 5); got != 0 {
		t.Errorf("a policy that makes no sense vouches until %d", got)
	}
}

// A key that signs without a time counts when it was seen.
func TestVouchedUntilWithoutTime(t *testing.T) {
	log, other := sha256.Sum256([]byte("log")), sha256.Sum256([]byte("plain"))
	key, err := ledger.NewSigningKey("exchange.example/ev", log[:])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ledger.NewSigningKey("plain.example", other[:])
	if err != nil {
		t.Fatal(err)
	}
	cp := ledger.Checkpoint{Origin: "exchange.example/ev", Size: 0, Root: ledger.EmptyRoot()}
	signed, err := ledger.SignCheckpoint(t.Context(), key, cp)
	if err != nil {
		t.Fatal(err)
	}
	raw := binary.BigEndian.AppendUint32(nil, plain.Verifier().KeyHash())
	sig, err := plain.Sign(t.Context(), []byte(cp.Text()))
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Appendf(nil, "\u2014 plain.example %s\n", base64.StdEncoding.EncodeToString(append(raw, sig...)))
	p, err := ledger.ParsePolicy("witness a " + plain.VerifierKey() + "\nquorum a\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := vouchedUntil(p, append(signed, line...), 77); got != 77 {
		t.Errorf("until %d", got)
	}
}

// The charters in force between two sizes of the directory.
func TestBetween(t *testing.T) {
	list := []charter{{from: 1}, {from: 5}, {from: 9}}
	for _, tt := range []struct {
		n, m int64
		want []int64
	}{
		{0, 0, []int64{1}}, {0, 4, []int64{1}}, {1, 4, []int64{1}}, {4, 5, []int64{1, 5}}, {5, 5, []int64{5}}, {5, 8, []int64{5}},
		{0, 20, []int64{1, 5, 9}}, {6, 9, []int64{5, 9}}, {9, 12, []int64{9}}, {12, 12, []int64{9}},
	} {
		var got []int64
		for _, c := range between(list, tt.n, tt.m) {
			got = append(got, c.from)
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("between %d and %d: %v, want %v", tt.n, tt.m, got, tt.want)
		}
	}
	if got := between(nil, 0, 0); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// A policy that makes no sense confirms nothing, until there is another.
func TestSenselessPolicy(t *testing.T) {
	none, err := ledger.ParsePolicy("none")
	if err != nil {
		t.Fatal(err)
	}
	senseless, asks := charter{from: 1}, charter{from: 2}
	asks.policies[ledger.Ev] = none
	for want, list := range map[ledger.Standing][]charter{ledger.Provisional: {asks, senseless}, ledger.Unwitnessed: {senseless, asks}} {
		if v := standing(list, ledger.Ev, noteOf(1)); v.Standing != want {
			t.Errorf("%+v, want %s", v, want)
		}
	}
}

// Whoever wrote a message by another directory was shown another directory.
func TestSenderSawAnotherDirectory(t *testing.T) {
	n := MemoryNotebook(pin)
	leaves := golden(t)
	dir := directory.New()
	for _, leaf := range leaves {
		next, err := dir.Apply(leaf)
		if err != nil {
			t.Fatal(err)
		}
		dir = next
	}
	o := &Office{Config: Config{Notebook: n, Clock: func() int64 { return 1 }}, held: replay(dir, leaves)}
	root := o.held.tree.root(5)
	for name, head := range map[string]messaging.DirHead{
		"another root": {N: 5, Root: bytes.Repeat([]byte{1}, 32)},
		"no root":      {N: 5},
		"another size": {N: 6, Root: root[:]},
	} {
		l := Letter{notice: &messaging.Notice{Core: &messaging.Core{Dir: head}}, item: FeedItem{M: &evidence.Meta{DirN: 5}}}
		var s *SecurityError
		if _, _, err := o.sender(l); !errors.As(err, &s) || !strings.Contains(s.What, "another directory") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ahead := Letter{notice: &messaging.Notice{Core: &messaging.Core{Dir: messaging.DirHead{N: 99, Root: root[:]}}}, item: FeedItem{M: &evidence.Meta{DirN: 5}}}
	if _, _, err := o.sender(ahead); !errors.Is(err, ErrBehind) {
		t.Errorf("%v", err)
	}
}

// Proofs that never become final keep no others from it.
func TestToComplete(t *testing.T) {
	now := int64(0)
	o := &Office{Config: Config{Notebook: MemoryNotebook(pin), Clock: func() int64 { return now }, Client: new(client.Client)}, counted: 1 << 40}
	var list []Kept
	for i := range int64(3 * completeAtOnce) {
		list = append(list, Kept{Idx: i, Standing: ledger.Provisional})
	}
	list[5].Standing, list[7].Standing = "", NotConfirmed
	asked := map[int64]bool{}
	for ; now < 1000*int64(len(list)); now += 1000 {
		got := o.toComplete(list)
		if len(got) != completeAtOnce || got[0] != 7 {
			t.Fatalf("%v", got)
		}
		for _, idx := range got {
			asked[idx] = true
		}
	}
	if len(asked) != len(list)-1 || asked[5] {
		t.Errorf("%d of %d asked for", len(asked), len(list)-1)
	}
}

// The tree grows by value: what it was before stays what it was.
func TestTree(t *testing.T) {
	leaves := golden(t)
	whole := tree{}.grown(leaves)
	parts, roots := tree{}, []string{}
	for i := range leaves {
		before := parts
		parts = parts.grown(leaves[i : i+1])
		branch := before.grown([][]byte{[]byte("another")})
		roots = append(roots, parts.root(parts.size).String())
		if branch.root(branch.size) == parts.root(parts.size) {
			t.Fatalf("two trees of %d entries share their root", i+1)
		}
	}
	for i, root := range roots {
		if got := whole.root(int64(i + 1)).String(); got != root {
			t.Errorf("root at %d is %s, grown one by one it was %s", i+1, got, root)
		}
	}
	if whole.root(0) != ledger.EmptyRoot() {
		t.Error("the empty root")
	}
}

// The size a note claims is a number or nothing, whatever the note is.
func FuzzClaimedSize(f *testing.F) {
	f.Add([]byte("origin\n7\nroot\n"))
	f.Add([]byte("origin\n-1\nroot\n"))
	f.Add([]byte("\n9999999999999999999999\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		size := claimedSize(data)
		if size < -1 {
			t.Fatalf("size %d", size)
		}
		if size >= 0 && !bytes.Contains(data, []byte("\n")) {
			t.Fatalf("a note of one line has size %d", size)
		}
	})
}

// A folder whose small files are anything is opened or refused, never worse.
func FuzzFolder(f *testing.F) {
	f.Add([]byte(`{"v":1,"dir":"AAAA","dir_until":3}`), []byte(`{"d_1":4}`), []byte("{}"))
	f.Add([]byte(`{"v":2}`), []byte(`null`), []byte("null"))
	f.Add([]byte(``), []byte(`[]`), []byte("1"))
	f.Fuzz(func(t *testing.T, m, feeds, opening []byte) {
		dir := t.TempDir()
		if _, err := CreateNotebook(dir, pin); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, proofsDir), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{marksFile: m, feedsFile: feeds, "proofs/3.opening.json": opening} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n, err := OpenNotebook(dir)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatalf("%v", err)
			}
			return
		}
		o, err := Open(Config{Notebook: n, Clock: func() int64 { return 1 }})
		if err != nil || o.held.size() != 0 {
			t.Fatalf("%v", err)
		}
		if list, err := n.Kept(); err != nil || len(list) != 1 || list[0].Standing != NotConfirmed {
			t.Fatalf("%+v %v", list, err)
		}
		if _, err := n.keptOpening(3); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%v", err)
		}
		if err := n.keepFeedEnd("d_2", 1); err != nil {
			t.Fatal(err)
		}
		var again map[string]int64
		data, err := os.ReadFile(filepath.Join(dir, feedsFile))
		if err != nil || json.Unmarshal(data, &again) != nil || again["d_2"] < 1 {
			t.Fatalf("%s %v", data, err)
		}
	})
}
