package ledger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
)

// TestFuzzSeeds: a fuzz target whose seeds are gone passes in silence.
func TestFuzzSeeds(t *testing.T) {
	for _, target := range []string{"FuzzParseCheckpoint", "FuzzParseProof", "FuzzParseBundle", "FuzzParseTilePath", "FuzzParseVerifierKey"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) < 3 {
			t.Errorf("%s has %d seeds, %v", target, len(files), err)
		}
		valid := false
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil || !strings.HasPrefix(string(data), "go test fuzz v1\n") {
				t.Errorf("%s is not a seed: %v", f, err)
			}
			valid = valid || strings.HasPrefix(filepath.Base(f), "valid")
		}
		if !valid {
			t.Errorf("%s has no seed that parses", target)
		}
	}
}

// FuzzParseCheckpoint takes its input as a whole note and, signed, as the text
// of one: what is accepted must be what Text writes.
func FuzzParseCheckpoint(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ledger.ParseCheckpoint(data, key.Verifier()); err == nil && !bytes.HasPrefix(data, []byte(c.Text()+"\n")) {
			t.Errorf("%q was read as %q", data, c.Text())
		}
		if !bytes.HasSuffix(data, []byte("\n")) {
			return // not a text that anybody can sign
		}
		if c, err := ledger.ParseCheckpoint(signed(t, string(data)), key.Verifier()); err == nil && c.Text() != string(data) {
			t.Errorf("%q was read as %q", data, c.Text())
		}
	})
}

func FuzzParseProof(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ledger.ParseProof(data)
		if err != nil {
			return
		}
		if again := p.Format(); !bytes.Equal(again, data) {
			t.Errorf("%q comes back as %q", data, again)
		}
		p.Verify([]byte("entry 2"), key.Verifier())
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, w int) {
		entries, err := ledger.ParseBundle(slices.Clone(data), w)
		if err != nil {
			return
		}
		if again, err := ledger.FormatBundle(entries); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q comes back as %q, %v", data, again, err)
		}
	})
}

func FuzzParseTilePath(f *testing.F) {
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := ledger.ParseTilePath(path)
		if err != nil {
			return
		}
		if again := ledger.TilePath(tile); again != path {
			t.Errorf("%q comes back as %q", path, again)
		}
		if !ledger.TileWithin(tile, ledger.MaxSize) {
			t.Errorf("%q is in no log", path)
		}
	})
}

func FuzzParseVerifierKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, vkey string) {
		v, err := ledger.ParseVerifierKey(vkey)
		if err == nil && !strings.HasPrefix(vkey, v.Name()+"+") {
			t.Errorf("%q was read as the key of %q", vkey, v.Name())
		}
	})
}
