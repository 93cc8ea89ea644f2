package directory_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/keys/directory"
)

var update = flag.Bool("update", false, "write testdata anew")

// compare holds got against a file of testdata, or writes the file with -update.
func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what the code makes; if that is meant, run with -update and say so in FORMAT.md", path)
	}
}

func digest(t testing.TB, v interface{ Digest() (string, error) }) string {
	t.Helper()
	d, err := v.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGoldenDirectory(t *testing.T) {
	w := golden(t)
	var leaves, digests bytes.Buffer
	for n, leaf := range w.leaves {
		fmt.Fprintf(&leaves, "%s\n", leaf)
		fmt.Fprintf(&digests, "%d %s\n", n+1, digest(t, w.states[n+1]))
	}
	compare(t, "golden.jsonl", leaves.Bytes())
	compare(t, "golden.digests", digests.Bytes())
	dump, err := w.now().Dump()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "golden.dump.json", dump)
}

// The file is what a stranger has: replay it alone.
func TestReplayOfTheFile(t *testing.T) {
	leaves := strings.Split(strings.TrimSuffix(read(t, "golden.jsonl"), "\n"), "\n")
	digests := strings.Split(strings.TrimSuffix(read(t, "golden.digests"), "\n"), "\n")
	if len(leaves) != 33 || len(digests) != len(leaves) {
		t.Fatalf("%d leaves, %d digests", len(leaves), len(digests))
	}
	s, kinds := directory.New(), map[string]bool{}
	for n, leaf := range leaves {
		signed, err := directory.Decode([]byte(leaf))
		if err != nil {
			t.Fatal(err)
		}
		kinds[signed.Type] = true
		if s, err = s.Apply([]byte(leaf)); err != nil {
			t.Fatalf("leaf %d: %v", n, err)
		}
		if got := fmt.Sprintf("%d %s", s.N(), digest(t, s)); got != digests[n] {
			t.Errorf("after leaf %d: %s, want %s", n, got, digests[n])
		}
	}
	if len(kinds) != 21 {
		t.Errorf("the vectors show %d kinds of statement, want all 21", len(kinds))
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
