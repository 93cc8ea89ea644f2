package observe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/odziv/odziv/ledger"
)

// A mirror that grows by any steps, and is opened anew between them, holds
// exactly the tiles of its tree: an audit of the files finds nothing, and no file
// is there that the tree does not have.
func TestMirrorGrows(t *testing.T) {
	x := newExchange(t)
	h := &tree{}
	for i := range 1_300 {
		h.leaves = append(h.leaves, fmt.Appendf(nil, "entry %d", i))
	}
	rapid.Check(t, func(rt *rapid.T) {
		tr := &tree{}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		ok(t, err)
		m, err := openMirror(dir, ledger.Ev)
		ok(t, err)
		for range rapid.IntRange(1, 4).Draw(rt, "steps") {
			for range rapid.SampledFrom([]int{1, 2, 255, 256, 257, 300}).Draw(rt, "more") {
				tr.add(t, h.leaves[len(tr.leaves)])
			}
			size := len(tr.leaves)
			c := ledger.Checkpoint{Origin: ledger.Ev.Origin(host), Size: int64(size), Root: tr.root(t, size)}
			seen := int64(0)
			ok(t, m.advance(t.Context(), tr, c, x.signed(ledger.Ev, tr, size), func(int64, []byte) error { seen++; return nil }, nil))
			if rapid.Bool().Draw(rt, "reopen") {
				m, err = openMirror(dir, ledger.Ev)
				ok(t, err)
			}
			at, _ := m.At()
			findings, err := ledger.AuditTree(t.Context(), m, at, nil)
			if err != nil || len(findings) > 0 || at != c || seen == 0 {
				rt.Fatal(findings, err, at, seen)
			}
		}
		want := map[string]bool{checkpointFile: true}
		for tile := range ledger.TreeTiles(int64(len(tr.leaves))) {
			want[ledger.TilePath(tile)] = true
		}
		ok(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dir, name)
			if err == nil && !d.IsDir() && !want[filepath.ToSlash(rel)] {
				rt.Errorf("left over: %s", rel)
			}
			return err
		}))
		old := rapid.IntRange(0, len(tr.leaves)).Draw(rt, "earlier")
		if root, err := m.RootAt(t.Context(), int64(old)); err != nil || root != tr.root(t, old) {
			rt.Error(root, err)
		}
		ok(t, os.RemoveAll(dir))
	})
}

// A tree of three levels of tiles, at once.
func TestMirrorOfThreeLevels(t *testing.T) {
	x := newExchange(t)
	tr := &tree{}
	for i := range 65_536 + 300 {
		tr.add(t, fmt.Appendf(nil, "entry %d", i))
	}
	m, err := openMirror(t.TempDir(), ledger.Ev)
	ok(t, err)
	size := len(tr.leaves)
	c := ledger.Checkpoint{Origin: ledger.Ev.Origin(host), Size: int64(size), Root: tr.root(t, size)}
	ok(t, m.advance(t.Context(), tr, c, x.signed(ledger.Ev, tr, size), func(int64, []byte) error { return nil }, nil))
	findings, err := ledger.AuditTree(t.Context(), m, c, nil)
	if err != nil || len(findings) > 0 {
		t.Error(findings, err)
	}
	leaf, err := m.Entry(t.Context(), 65_600)
	if err != nil || string(leaf) != "entry 65600" {
		t.Errorf("%q %v", leaf, err)
	}
	n := int64(60_000)
	ok(t, m.Each(t.Context(), n, func(idx int64, leaf []byte) error {
		if idx != n || string(leaf) != fmt.Sprintf("entry %d", n) {
			return fmt.Errorf("%d is %q", idx, leaf)
		}
		n++
		return nil
	}))
	if n != c.Size {
		t.Errorf("ended at %d", n)
	}
}

// breaking fails after some tiles.
type breaking struct {
	ledger.TileSource
	left int
	got  int
}

var errBroken = errors.New("the line broke")

func (b *breaking) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if b.left--; b.left < 0 {
		return nil, errBroken
	}
	b.got++
	return b.TileSource.Tile(ctx, t)
}

// Long work that breaks off goes on where it was, in another run of the program,
// and holds nothing before all of it is known to be right.
func TestMirrorGoesOn(t *testing.T) {
	x := newExchange(t)
	tr := &tree{}
	for i := range 10*256 + 7 {
		tr.add(t, fmt.Appendf(nil, "entry %d", i))
	}
	size := len(tr.leaves)
	c := ledger.Checkpoint{Origin: ledger.Ev.Origin(host), Size: int64(size), Root: tr.root(t, size)}
	dir := t.TempDir()
	total := 0
	for range 4 {
		m, err := openMirror(dir, ledger.Ev)
		ok(t, err)
		src := &breaking{TileSource: tr, left: 3}
		err = m.advance(t.Context(), src, c, x.signed(ledger.Ev, tr, size), func(int64, []byte) error { return nil }, nil)
		total += src.got
		if at, _ := m.At(); (err == nil) != (at.Size == c.Size) || err != nil && !errors.Is(err, errBroken) {
			t.Fatal(err, at)
		}
	}
	if total != 11 {
		t.Errorf("fetched %d bundles of 11", total)
	}
}

// What led nowhere is not kept: the next attempt fetches it again.
func TestMirrorForgetsWhatWasWrong(t *testing.T) {
	x := newExchange(t)
	tr := &tree{}
	for i := range 600 {
		tr.add(t, fmt.Appendf(nil, "entry %d", i))
	}
	other := tr.branch(100)
	for i := range 500 {
		other.add(t, fmt.Appendf(nil, "other %d", i))
	}
	dir := t.TempDir()
	m, err := openMirror(dir, ledger.Ev)
	ok(t, err)
	c := ledger.Checkpoint{Origin: ledger.Ev.Origin(host), Size: 600, Root: tr.root(t, 600)}
	visit := func(int64, []byte) error { return nil }
	if err := m.advance(t.Context(), other, c, x.signed(ledger.Ev, tr, 600), visit, nil); !errors.Is(err, ledger.ErrContradicted) {
		t.Fatal(err)
	}
	ok(t, m.advance(t.Context(), tr, c, x.signed(ledger.Ev, tr, 600), visit, nil))
}

// A file of the mirror that was changed or lost is noticed: on the right edge
// when it is opened, elsewhere when everything is compared.
func TestDamagedMirror(t *testing.T) {
	for name, whole := range map[string]bool{"ev/checkpoint": false, "ev/tile/0/001.p/44": false, "ev/tile/entries/001.p/44": false, "ev/tile/entries/000": true, "ev/tile/0/000": true} {
		for _, lost := range []bool{true, false} {
			if lost && name == "ev/checkpoint" {
				continue // then it begins anew
			}
			x := newExchange(t)
			for i := range 295 {
				x.trees[ledger.Ev].add(t, fmt.Appendf(nil, "more %d", i))
			}
			dir := t.TempDir()
			o := x.observer(dir)
			ok(t, o.Round(t.Context(), true))
			ok(t, o.Close())
			file := filepath.Join(dir, name)
			data, err := os.ReadFile(file)
			ok(t, err)
			data[len(data)/2] ^= 1
			if lost {
				ok(t, os.Remove(file))
			} else {
				ok(t, os.WriteFile(file, data, 0o600))
			}
			o, err = Open(t.Context(), o.Config)
			if err == nil && whole {
				err = o.Round(t.Context(), true)
				ok(t, o.Close())
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, lost %v: %v", name, lost, err)
			}
		}
	}
}

// One folder serves one observer; those who only look are let in.
func TestFolderIsLocked(t *testing.T) {
	x := newExchange(t)
	o := x.settled()
	if _, err := Open(t.Context(), o.Config); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("%v", err)
	}
	cfg := o.Config
	cfg.Inspect = true
	second, err := Open(t.Context(), cfg)
	ok(t, err)
	if s, err := second.Status(); err != nil || s.Dir.Size != 4 || s.Ev.Size != 5 || s.Dir.Standing != "unwitnessed" {
		t.Errorf("%+v %v", s, err)
	}
	ok(t, second.Close())
}
