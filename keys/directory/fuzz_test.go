package directory_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// The seeds are files, so that a fuzz target cannot start from nothing unseen.
func TestFuzzSeeds(t *testing.T) {
	w := golden(t)
	for n, leaf := range w.leaves {
		d, err := statement.ParseDSSE(leaf)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, fmt.Sprintf("fuzz/FuzzDecode/golden-%02d", n), corpus(leaf))
		compare(t, fmt.Sprintf("fuzz/FuzzDecodePayload/golden-%02d", n), corpus(d.Payload))
		compare(t, fmt.Sprintf("fuzz/FuzzApply/golden-%02d", n), corpus(leaf))
	}
	for _, target := range []string{"FuzzDecode", "FuzzDecodePayload", "FuzzApply"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < 32 {
			t.Errorf("%s has %d seeds, %v", target, len(seeds), err)
		}
	}
}

func corpus(data []byte) []byte { return fmt.Appendf(nil, "go test fuzz v1\n[]byte(%q)\n", data) }

// What decodes has one spelling: encoding it again gives the same bytes.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, leaf []byte) {
		signed, err := directory.Decode(leaf)
		if err != nil {
			return
		}
		again, err := directory.Leaf(signed.DSSE)
		if err != nil || !bytes.Equal(again, leaf) {
			t.Fatalf("%s became %s, %v", leaf, again, err)
		}
		checkPayload(t, signed.Body, signed.DSSE.Payload)
		if signed.Head.T != signed.Type || signed.Subject != signed.Body.Subject() || signed.Hash != directory.LeafHash(leaf) {
			t.Fatalf("%+v", signed)
		}
	})
}

func FuzzDecodePayload(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte) {
		if body, err := directory.DecodePayload(payload); err == nil {
			checkPayload(t, body, payload)
		}
	})
}

func checkPayload(t *testing.T, body directory.Body, payload []byte) {
	t.Helper()
	if again, err := directory.Payload(body); err != nil || !bytes.Equal(again, payload) {
		t.Fatalf("%s became %s, %v", payload, again, err)
	}
	if body.Subject() == "" {
		t.Fatalf("no subject: %s", payload)
	}
}

// Nobody forges a leaf: what a state accepts is a statement that was signed for it.
func FuzzApply(f *testing.F) {
	if _, err := os.Stat("testdata/fuzz/FuzzApply/golden-00"); err != nil {
		f.Fatal(err)
	}
	w := golden(f)
	var payloads []string
	for _, leaf := range w.leaves {
		d, err := statement.ParseDSSE(leaf)
		if err != nil {
			f.Fatal(err)
		}
		payloads = append(payloads, string(d.Payload))
	}
	f.Fuzz(func(t *testing.T, leaf []byte) {
		signed, err := directory.Decode(leaf)
		if err != nil {
			return
		}
		for n, state := range w.states {
			if _, err := state.ApplySigned(signed); err == nil && !slices.Contains(payloads[n:], string(signed.DSSE.Payload)) {
				t.Fatalf("state of %d leaves accepts %s", n, leaf)
			}
		}
	})
}
