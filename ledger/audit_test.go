package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/tlog"
)

func auditFiles(t testing.TB, files fstest.MapFS, c ledger.Checkpoint) []ledger.Finding {
	t.Helper()
	found, err := ledger.AuditTree(context.Background(), ledger.FSTiles(files), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAuditWhole(t *testing.T) {
	for _, size := range []int64{0, 1, 2, 255, 256, 257, 511, 512, 513, 600} {
		m := grown(t, size)
		view(t, m, func(r ledger.Reader) {
			c := at(t, r, size)
			for what, src := range map[string]ledger.TileSource{"rows": ledger.ReaderTiles(r, ledger.Ev), "files": ledger.FSTiles(exported(t, m, size))} {
				var next int64
				found, err := ledger.AuditTree(context.Background(), src, c, func(idx int64, leaf []byte) error {
					if idx != next || string(leaf) != string(vectorEntry(idx)) {
						t.Fatalf("visited %d %q, want %d", idx, leaf, next)
					}
					next++
					return nil
				})
				if err != nil || len(found) > 0 || next != size {
					t.Errorf("%s of %d: visited %d, %v, %v", what, size, next, found, err)
				}
			}
		})
	}
}

// TestAuditEarlierCheckpoint: files of a larger tree satisfy an older checkpoint
// where its partial tiles were dropped for the full ones.
func TestAuditEarlierCheckpoint(t *testing.T) {
	m := grown(t, 512)
	files := exported(t, m, 512)
	files["tile/1/000.p/1"] = &fstest.MapFile{Data: files["tile/1/000.p/2"].Data[:32]}
	view(t, m, func(r ledger.Reader) {
		if found := auditFiles(t, files, at(t, r, 300)); len(found) > 0 {
			t.Errorf("findings: %v", found)
		}
	})
}

// TestAuditNamesEveryByte changes each byte of each file of a log of 270
// entries; the audit must name exactly that entry or that tile.
func TestAuditNamesEveryByte(t *testing.T) {
	const size = 270
	m := grown(t, size)
	files := exported(t, m, size)
	var c ledger.Checkpoint
	view(t, m, func(r ledger.Reader) { c = at(t, r, size) })
	stride := 1
	if testing.Short() {
		stride = 13
	}
	for path, file := range files {
		tile, err := ledger.ParseTilePath(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(file.Data); i += stride {
			file.Data[i] ^= 0x10
			found := auditFiles(t, files, c)
			file.Data[i] ^= 0x10
			if len(found) != 1 || found[0].Path != path {
				t.Fatalf("%s byte %d: %v", path, i, found)
			}
			switch f := found[0]; {
			case tile.L == ledger.EntryLevel && f.Part != ledger.PartEntry:
				t.Fatalf("%s byte %d: %v", path, i, f)
			case tile.L != ledger.EntryLevel && (f.Part != ledger.PartTile || f.At != tile.N):
				t.Fatalf("%s byte %d: %v", path, i, f)
			}
		}
	}
	if found := auditFiles(t, files, c); len(found) > 0 {
		t.Errorf("the test left damage: %v", found)
	}
}

// TestAuditNamesTheEntry: an entry of the right length but other content is
// named by its index, also where several are.
func TestAuditNamesTheEntry(t *testing.T) {
	const size = 600
	m := grown(t, size)
	var c ledger.Checkpoint
	view(t, m, func(r ledger.Reader) { c = at(t, r, size) })
	for _, wrong := range [][]int64{{0}, {255}, {256}, {599}, {3, 4}, {100, 300, 599}} {
		files := exported(t, m, size)
		for _, idx := range wrong {
			forgeBundle(t, files, size, idx)
		}
		found := auditFiles(t, files, c)
		if len(found) != len(wrong) {
			t.Fatalf("%v: %v", wrong, found)
		}
		for i, f := range found {
			if f.Part != ledger.PartEntry || f.At != wrong[i] {
				t.Errorf("%v: %v", wrong, f)
			}
		}
	}
}

func forgeBundle(t testing.TB, files fstest.MapFS, size, idx int64) {
	t.Helper()
	tile := ledger.Bundle(idx/256, int(min(256, size-idx/256*256)))
	file := files[ledger.TilePath(tile)]
	entries, err := ledger.ParseBundle(file.Data, tile.W)
	if err != nil {
		t.Fatal(err)
	}
	entries[idx%256] = []byte("forged")
	if file.Data, err = ledger.FormatBundle(entries); err != nil {
		t.Fatal(err)
	}
}

func TestAuditDamage(t *testing.T) {
	const size = 600
	m := grown(t, size)
	var c ledger.Checkpoint
	view(t, m, func(r ledger.Reader) { c = at(t, r, size) })
	other := c
	other.Root[0] ^= 1
	remove := func(path string) func(fstest.MapFS) { return func(f fstest.MapFS) { delete(f, path) } }
	for what, w := range map[string]struct {
		damage func(files fstest.MapFS)
		c      ledger.Checkpoint
		want   string
	}{
		"bundle missing":          {remove("tile/entries/001"), c, "entry 256 (tile/entries/001)"},
		"tile missing":            {remove("tile/0/001"), c, "tile 1 (tile/0/001)"},
		"upper missing":           {remove("tile/1/000.p/2"), c, "tile 0 (tile/1/000.p/2)"},
		"part missing":            {remove("tile/0/002.p/88"), c, "tile 2 (tile/0/002.p/88)"},
		"another root":            {func(fstest.MapFS) {}, other, "checkpoint 600"},
		"tile short":              {func(f fstest.MapFS) { f["tile/0/000"].Data = nil }, c, "tile 0 (tile/0/000)"},
		"bundle endless":          {func(f fstest.MapFS) { f["tile/entries/000"].Data = make([]byte, 17<<20) }, c, "entry 0 (tile/entries/000)"},
		"bundle and tile missing": {func(f fstest.MapFS) { delete(f, "tile/entries/000"); delete(f, "tile/0/000") }, c, "entry 0 (tile/entries/000)"},
		"entry and tile agree": {func(f fstest.MapFS) {
			forgeBundle(t, f, size, 7)
			h := tlog.RecordHash([]byte("forged"))
			copy(f["tile/0/000"].Data[7*32:], h[:])
		}, c, "tile 0 (tile/0/000)"},
	} {
		files := exported(t, m, size)
		w.damage(files)
		found := auditFiles(t, files, w.c)
		if len(found) == 0 || found[0].Text == "" {
			t.Fatalf("%s: %v", what, found)
		}
		named := false
		for _, f := range found {
			named = named || len(f.String()) > len(w.want) && f.String()[:len(w.want)] == w.want
		}
		if !named {
			t.Errorf("%s: %v, want %s", what, found, w.want)
		}
	}
}

func TestAuditEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := grown(t, 600)
	files := exported(t, m, 600)
	stop := errors.New("stop")
	view(t, m, func(r ledger.Reader) {
		c := at(t, r, 600)
		if _, err := ledger.AuditTree(ctx, ledger.FSTiles(files), c, func(idx int64, _ []byte) error {
			if idx == 300 {
				return stop
			}
			return nil
		}); err != stop {
			t.Errorf("a visitor that stops: %v", err)
		}
		if _, err := ledger.AuditTree(ctx, ledger.FSTiles(brokenFS{}), c, nil); err == nil {
			t.Error("a disk that fails: no error")
		}
		if _, err := ledger.AuditTree(ctx, ledger.FSTiles(files), ledger.Checkpoint{Size: -1}, nil); err == nil {
			t.Error("size -1: no error")
		}
		cancel()
		if _, err := ledger.AuditTree(ctx, ledger.FSTiles(files), c, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		found, err := ledger.AuditTree(context.Background(), ledger.FSTiles(fstest.MapFS{}), ledger.Checkpoint{Size: ledger.MaxSize}, nil)
		if err != nil || len(found) != ledger.MaxFindings {
			t.Errorf("nothing where 2^53-1 entries should be: %d findings, %v", len(found), err)
		}
	})
}

// TestCheckNamesEveryRow edits, in turn, each entry, node and head field and
// checkpoint of a log of 300 entries; Check names exactly that row.
func TestCheckNamesEveryRow(t *testing.T) {
	const size = 300
	ctx := context.Background()
	m := storagetest.NewMemory()
	anchor := storagetest.NewAnchor()
	for i := range int64(size) {
		if err := storagetest.Append(m, ledger.Ev, i, vectorEntry(i)); err != nil {
			t.Fatal(err)
		}
		if i%29 == 0 || i == size-1 {
			step(t, ledger.NewPublisher(m, ledger.Ev, key, anchor, ledger.Unwatched{}), i)
		}
	}
	want := func(part ledger.Part, pos int64) {
		t.Helper()
		view(t, m, func(r ledger.Reader) {
			found, err := ledger.Check(ctx, r, ledger.Ev, key.Verifier())
			if err != nil || len(found) != 1 || found[0].Part != part || found[0].At != pos {
				t.Fatalf("%s %d: %v, %v", part, pos, found, err)
			}
		})
	}
	for idx := range int64(size) {
		m.ForgeEntry(ledger.Ev, idx, []byte("forged"))
		want(ledger.PartEntry, idx)
		m.ForgeEntry(ledger.Ev, idx, vectorEntry(idx))
	}
	for pos := range tlog.StoredHashCount(size) {
		var h tlog.Hash
		view(t, m, func(r ledger.Reader) {
			got, err := r.Hashes(ctx, ledger.Ev, []int64{pos})
			if err != nil {
				t.Fatal(err)
			}
			h = got[0]
		})
		bad := h
		bad[pos%32] ^= 1
		m.ForgeNode(ledger.Ev, pos, bad)
		want(ledger.PartNode, pos)
		m.ForgeNode(ledger.Ev, pos, h)
	}
	head := headOf(t, m)
	bad := head
	bad.Root[5] ^= 1
	m.ForgeHead(ledger.Ev, bad)
	want(ledger.PartHead, size)
	m.ForgeHead(ledger.Ev, head)
	forgeCheckpoints(t, m, want)
}

func forgeCheckpoints(t *testing.T, m *storagetest.Memory, want func(ledger.Part, int64)) {
	var all []ledger.Published
	view(t, m, func(r ledger.Reader) {
		var err error
		if all, err = r.Checkpoints(context.Background(), ledger.Ev, ledger.Nothing(), 100); err != nil || len(all) < 10 {
			t.Fatalf("%d checkpoints, %v", len(all), err)
		}
	})
	for _, p := range all {
		bad := p
		bad.Note = all[0].Note
		if p.Size == all[0].Size {
			bad.Note = all[1].Note
		}
		m.ForgeCheckpoint(ledger.Ev, bad)
		want(ledger.PartCheckpoint, p.Size)
		for i := range p.Note {
			bad.Note = append([]byte{}, p.Note...)
			bad.Note[i] ^= 1
			m.ForgeCheckpoint(ledger.Ev, bad)
			if i%7 == 0 {
				want(ledger.PartCheckpoint, p.Size)
			}
		}
		m.ForgeCheckpoint(ledger.Ev, p)
	}
	view(t, m, func(r ledger.Reader) {
		if found, err := ledger.Check(context.Background(), r, ledger.Ev, key.Verifier()); err != nil || len(found) > 0 {
			t.Errorf("the test left damage: %v, %v", found, err)
		}
		found, err := ledger.Check(context.Background(), r, ledger.Ev, storagetest.Key(ledger.Dir).Verifier())
		if err != nil || len(found) != len(all) {
			t.Errorf("under another key: %d findings for %d checkpoints, %v", len(found), len(all), err)
		}
		found, err = ledger.Check(context.Background(), r, ledger.Ev, storagetest.Key(ledger.Dir).Verifier(), key.Verifier())
		if err != nil || len(found) > 0 {
			t.Errorf("under an old and a new key: %v, %v", found, err)
		}
	})
}

// holes is a Reader in which some rows are missing.
type holes struct {
	ledger.Reader
	entries, nodes map[int64]bool
	surplus        bool
}

func (r holes) Entries(ctx context.Context, log ledger.Log, from, to int64) ([][]byte, error) {
	for i := from; i < to; i++ {
		if r.entries[i] {
			return nil, fmt.Errorf("entry %d: %w", i, ledger.ErrMissing)
		}
	}
	if r.surplus && to == 301 {
		return [][]byte{{1}}, nil
	}
	return r.Reader.Entries(ctx, log, from, to)
}

func (r holes) Hashes(ctx context.Context, log ledger.Log, pos []int64) ([]tlog.Hash, error) {
	for _, p := range pos {
		if r.nodes[p] {
			return nil, fmt.Errorf("node %d: %w", p, ledger.ErrMissing)
		}
		if r.surplus && p == tlog.StoredHashCount(300) {
			return []tlog.Hash{{1}}, nil
		}
	}
	return r.Reader.Hashes(ctx, log, pos)
}

func TestCheckNamesMissingRows(t *testing.T) {
	leaf := tlog.StoredHashIndex(0, 70)
	inner := tlog.StoredHashIndex(2, 3)
	for what, c := range map[string]struct {
		holes
		want []string
	}{
		"an entry":              {holes{entries: map[int64]bool{70: true}}, []string{"entry 70: is missing"}},
		"a leaf hash":           {holes{nodes: map[int64]bool{leaf: true}}, []string{fmt.Sprintf("node %d: is missing (level 0, number 70)", leaf)}},
		"an inner node":         {holes{nodes: map[int64]bool{inner: true}}, []string{fmt.Sprintf("node %d: is missing (level 2, number 3)", inner)}},
		"entry and leaf hash":   {holes{entries: map[int64]bool{70: true}, nodes: map[int64]bool{leaf: true}}, []string{"entry 70: is missing", fmt.Sprintf("node %d: is missing", leaf)}},
		"rows beyond the head":  {holes{surplus: true}, []string{"entry 300: is stored", fmt.Sprintf("node %d: is stored", tlog.StoredHashCount(300))}},
		"two entries of a page": {holes{entries: map[int64]bool{70: true, 299: true}}, []string{"entry 70: ", "entry 299: "}},
		"nothing":               {holes{}, nil},
	} {
		view(t, grown(t, 300), func(r ledger.Reader) {
			c.Reader = r
			found, err := ledger.Check(context.Background(), c.holes, ledger.Ev)
			if err != nil || len(found) != len(c.want) {
				t.Fatalf("%s: %v, %v", what, found, err)
			}
			for i, f := range found {
				if s := f.String(); len(s) < len(c.want[i]) || s[:len(c.want[i])] != c.want[i] {
					t.Errorf("%s: %s, want %s", what, s, c.want[i])
				}
			}
		})
	}
}

func TestCheckWrongSizes(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		size int64
		want ledger.Part
	}{{301, ledger.PartEntry}, {299, ledger.PartHead}, {0, ledger.PartHead}, {-1, ledger.PartHead}, {ledger.MaxSize + 1, ledger.PartHead}, {1 << 40, ledger.PartEntry}} {
		m := grown(t, 300)
		head := headOf(t, m)
		head.Size = c.size
		m.ForgeHead(ledger.Ev, head)
		view(t, m, func(r ledger.Reader) {
			found, err := ledger.Check(ctx, r, ledger.Ev)
			if err != nil || len(found) == 0 || found[0].Part != c.want {
				t.Errorf("size %d: %v, %v", c.size, found, err)
			}
		})
	}
	m := grown(t, 300)
	step(t, ledger.NewPublisher(m, ledger.Ev, key, storagetest.NewAnchor(), ledger.Unwatched{}), 1)
	var head ledger.Head
	view(t, m, func(r ledger.Reader) { head = ledger.Head{Size: 256, Root: at(t, r, 256).Root} })
	m.ForgeHead(ledger.Ev, head)
	view(t, m, func(r ledger.Reader) {
		found, err := ledger.Check(ctx, r, ledger.Ev)
		if err != nil || len(found) != 3 || found[2].Part != ledger.PartCheckpoint || found[2].At != 300 {
			t.Errorf("a checkpoint beyond the head: %v, %v", found, err)
		}
	})
}

func TestCheckStopsAtMaxFindings(t *testing.T) {
	m := grown(t, 600)
	for i := range int64(600) {
		m.ForgeEntry(ledger.Ev, i, []byte("forged"))
	}
	view(t, m, func(r ledger.Reader) {
		found, err := ledger.Check(context.Background(), r, ledger.Ev)
		if err != nil || len(found) != ledger.MaxFindings {
			t.Errorf("%d findings, %v", len(found), err)
		}
	})
}

// brokenReader fails one kind of question.
type brokenReader struct {
	ledger.Reader
	head, hashes, entries, checkpoints error
}

func (r brokenReader) Head(ctx context.Context, log ledger.Log) (ledger.Head, error) {
	h, err := r.Reader.Head(ctx, log)
	return h, errors.Join(err, r.head)
}

func (r brokenReader) Hashes(ctx context.Context, log ledger.Log, pos []int64) ([]tlog.Hash, error) {
	h, err := r.Reader.Hashes(ctx, log, pos)
	return h, errors.Join(err, r.hashes)
}

func (r brokenReader) Entries(ctx context.Context, log ledger.Log, from, to int64) ([][]byte, error) {
	e, err := r.Reader.Entries(ctx, log, from, to)
	return e, errors.Join(err, r.entries)
}

func (r brokenReader) Checkpoints(ctx context.Context, log ledger.Log, after ledger.Published, limit int) ([]ledger.Published, error) {
	p, err := r.Reader.Checkpoints(ctx, log, after, limit)
	return p, errors.Join(err, r.checkpoints)
}

// TestCheckTellsFailureFromDamage: a database that fails is an error, never a
// clean bill and never a finding.
func TestCheckTellsFailureFromDamage(t *testing.T) {
	disk := errors.New("input/output error")
	view(t, grown(t, 300), func(r ledger.Reader) {
		for what, b := range map[string]brokenReader{
			"head": {r, disk, nil, nil, nil}, "hashes": {r, nil, disk, nil, nil},
			"entries": {r, nil, nil, disk, nil}, "checkpoints": {r, nil, nil, nil, disk},
		} {
			found, err := ledger.Check(context.Background(), b, ledger.Ev)
			if !errors.Is(err, disk) || len(found) > 0 {
				t.Errorf("%s: %v, %v", what, found, err)
			}
		}
	})
}
