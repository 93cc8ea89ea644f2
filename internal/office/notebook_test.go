package office

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

var pin = Pin{URL: "https://exchange.example", Genesis: strings.Repeat("ab", 32)}

// golden is a directory of some leaves.
func golden(t *testing.T) [][]byte {
	t.Helper()
	text, err := os.ReadFile("../../keys/directory/testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var leaves [][]byte
	for line := range strings.Lines(string(text)) {
		leaves = append(leaves, []byte(strings.TrimSuffix(line, "\n")))
	}
	if len(leaves) < 10 {
		t.Fatalf("%d leaves", len(leaves))
	}
	return leaves
}

func notebook(t *testing.T) (*Notebook, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	n, err := CreateNotebook(dir, pin)
	if err != nil {
		t.Fatal(err)
	}
	return n, dir
}

func TestNotebook(t *testing.T) {
	n, dir := notebook(t)
	leaves := golden(t)
	m := marks{Ev: []byte("origin\n7\nroot\n")}
	if err := errors.Join(n.commit(leaves[:3], marks{}), n.commit(nil, marks{}), n.commit(leaves, m)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.keepFeedEnd("d", 3), n.keepFeedEnd("d", 2), n.keepVerified(7, [32]byte{1}), n.keepVerified(9, [32]byte{2})); err != nil {
		t.Fatal(err)
	}
	again, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Pin != pin || string(again.marks.Ev) != string(m.Ev) || again.feedEnd("d") != 3 || again.marks.V != marksVersion || again.replay().N() != int64(len(leaves)) {
		t.Errorf("%+v, %d leaves", again.Pin, again.replay().N())
	}
	if sum, ok := again.verifiedLeaf(9); !ok || sum != [32]byte{2} {
		t.Errorf("%v %v", sum, ok)
	}
	if _, ok := again.verifiedLeaf(8); ok {
		t.Error("an entry nobody verified")
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		info, _ := f.Info()
		if info.Mode().Perm() != 0o600 || strings.HasPrefix(f.Name(), ".") {
			t.Errorf("%s %v", f.Name(), info.Mode())
		}
	}
	if _, err := CreateNotebook(dir, pin); !errors.Is(err, ErrSetUp) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := OpenNotebook(t.TempDir()); !errors.Is(err, ErrNotSetUp) {
		t.Errorf("nothing there: %v", err)
	}
}

// Wherever a power loss cut the files of the notebook, what is left is a prefix
// of what was there, and the rest is fetched again.
func TestNotebookCutAnywhere(t *testing.T) {
	n, dir := notebook(t)
	leaves := golden(t)[:6]
	if err := errors.Join(n.commit(leaves, marks{}), n.keepVerified(1, [32]byte{1}), n.keepVerified(2, [32]byte{2})); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{leavesFile, verifiedFile} {
		whole, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for cut := 0; cut <= len(whole); cut += 1 + len(whole)/300 {
			if err := os.WriteFile(filepath.Join(dir, name), whole[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := OpenNotebook(dir)
			if err != nil {
				t.Fatalf("%s cut at %d: %v", name, cut, err)
			}
			state := again.replay()
			for i := range state.N() {
				if string(again.leaves[i]) != string(leaves[i]) {
					t.Fatalf("%s cut at %d: entry %d is another", name, cut, i)
				}
			}
			if int64(len(again.leaves)) != state.N() {
				t.Fatalf("%s cut at %d: holds what does not apply", name, cut)
			}
			for idx, sum := range again.verified {
				if sum != [32]byte{byte(idx)} {
					t.Fatalf("%s cut at %d: entry %d verified as another", name, cut, idx)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// An entry that was changed on the disk, and all after it, are forgotten.
func TestNotebookChanged(t *testing.T) {
	n, dir := notebook(t)
	leaves := golden(t)[:6]
	leaves[3] = []byte(strings.Replace(string(leaves[3]), `"sig":"`, `"sig":"A`, 1))
	if err := n.commit(leaves, marks{}); err != nil {
		t.Fatal(err)
	}
	again, err := OpenNotebook(dir)
	if err != nil {
		t.Fatal(err)
	}
	if state := again.replay(); state.N() != 3 || len(again.leaves) != 3 {
		t.Errorf("%d entries, %d held", state.N(), len(again.leaves))
	}
}

// What cannot be written is not held: the next time it is fetched again, and
// the exchange is not accused of having sent it twice.
func TestNotebookFull(t *testing.T) {
	n, dir := notebook(t)
	leaves := golden(t)
	if err := n.commit(leaves[:2], marks{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := n.commit(leaves[:4], marks{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if len(n.leaves) != 2 {
		t.Errorf("%d held", len(n.leaves))
	}
}

// In memory nothing touches the disk.
func TestMemoryNotebook(t *testing.T) {
	n := MemoryNotebook(pin)
	if err := errors.Join(n.commit(golden(t), marks{}), n.keepFeedEnd("d", 1), n.keepVerified(1, [32]byte{1})); err != nil {
		t.Fatal(err)
	}
	b, err := n.newBox(statement.NewID(statement.Message))
	if err != nil || b.lasting {
		t.Fatalf("%+v %v", b, err)
	}
	if err := b.remove(); err != nil {
		t.Error(err)
	}
	if ids, err := n.Outbox(); err != nil || len(ids) != 0 {
		t.Errorf("%v %v", ids, err)
	}
	if err := n.Discard("m_x"); !errors.Is(err, ErrNoParcel) {
		t.Errorf("%v", err)
	}
}

// The notebook reads what it wrote, whatever the leaves are.
func FuzzLeaves(f *testing.F) {
	f.Add([]byte("a\nb\n"))
	f.Add([]byte("AAAA\n!!!!\nAAAA\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if _, err := CreateNotebook(dir, pin); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, leavesFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := OpenNotebook(dir)
		if err != nil {
			return // a line longer than any leaf
		}
		if state := n.replay(); state.N() != int64(len(n.leaves)) {
			t.Fatalf("%d applied, %d held", state.N(), len(n.leaves))
		}
		if directory.New().N() != 0 {
			t.Fatal("the empty directory is not empty")
		}
	})
}

func TestFuzzSeeds(t *testing.T) {
	for _, target := range []string{"FuzzLeaves", "FuzzClaimedSize", "FuzzFolder"} {
		if seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", target)); err != nil || len(seeds) == 0 {
			t.Errorf("%s has no seeds: %v", target, err)
		}
	}
}
