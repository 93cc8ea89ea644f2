package observe

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzHome: whatever lies in an officer's folder, it is read to something or
// refused with an error.
func FuzzHome(f *testing.F) {
	f.Fuzz(func(t *testing.T, pin, marks, verified, opening, proof []byte) {
		dir := t.TempDir()
		ok(t, os.Mkdir(filepath.Join(dir, "proofs"), 0o700))
		for name, data := range map[string][]byte{pinFile: pin, marksFile: marks, verifiedFile: verified,
			"proofs/3.opening.json": opening, "proofs/3.tlog-proof": proof} {
			ok(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
		o := &Observer{Config: Config{Genesis: "00"}}
		r, ours, err := o.readHome(dir)
		if !ours && err == nil && (len(r.list) > 0 || len(r.marks) > 0) {
			t.Error("read the home of another exchange")
		}
		for _, one := range r.list {
			if one.idx < 0 {
				t.Error(one.idx)
			}
		}
	})
}

// FuzzOpenings: what is kept of a feed is dense from 1, however its file was cut
// off or changed, and what is read is written back the same.
func FuzzOpenings(f *testing.F) {
	const desk = "d_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &Observer{Config: Config{Dir: t.TempDir()}}
		ok(t, os.Mkdir(filepath.Join(o.Dir, "openings"), 0o700))
		ok(t, os.WriteFile(o.openingsFile(desk), data, 0o600))
		items, end, err := o.readOpenings(desk)
		if err != nil || end > int64(len(data)) {
			t.Fatal(end, err)
		}
		for i, item := range items {
			if item.N != int64(i)+1 {
				t.Fatalf("number %d at place %d", item.N, i)
			}
		}
		ok(t, o.writeOpenings(desk, items))
		again, _, err := o.readOpenings(desk)
		if err != nil || len(again) != len(items) {
			t.Fatalf("%d of %d, %v", len(again), len(items), err)
		}
	})
}

func TestSeedsArePresent(t *testing.T) {
	for _, name := range []string{"FuzzHome", "FuzzOpenings"} {
		if seeds, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(seeds) < 2 {
			t.Errorf("%s: %d seeds, %v", name, len(seeds), err)
		}
	}
}
