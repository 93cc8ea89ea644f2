package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/ledger"
)

var update = flag.Bool("update", false, "write testdata anew")

// writeVectors writes the files of testdata: the story, as a demonstration.
func writeVectors(t *testing.T) {
	w := audittest.New(t, true)
	w.Story()
	w.Publish()
	receipt, err := audit.BuildReceipt([]audit.Pieces{pieces(w, audittest.Given), pieces(w, audittest.Narrowed), pieces(w, audittest.Withdrawn)}, chainOf(w))
	if err != nil {
		t.Fatal(err)
	}
	bundle := bundleOf(t, w, audit.Options{Made: audittest.Start, Packs: rules.NewSet()})
	files := map[string][]byte{
		"evidence.json": evidenceOf(t, w, audittest.Concern), "silence.json": evidenceOf(t, w, audittest.Silence),
		"receipt.json": receipt, "bundle.zip": bundle, "genesis": []byte(w.Genesis()),
	}
	for name, data := range files {
		write(t, filepath.Join("testdata", name), data)
	}
	seed := func(target, name string, data []byte) {
		form := "go test fuzz v1\n[]byte(%q)\n"
		if target == "FuzzParsePolicy" {
			form = "go test fuzz v1\nstring(%q)\n"
		}
		write(t, filepath.Join("testdata", "fuzz", target, name), fmt.Appendf(nil, form, data))
	}
	for name, data := range files {
		if strings.HasSuffix(name, ".json") {
			seed("FuzzVerifyFile", name, data)
		}
	}
	seed("FuzzVerifyBundle", "bundle", bundle)
	for _, name := range []string{"evidence.json", "silence.json", "receipt.json"} {
		seed("FuzzCompareFile", name, files[name])
	}
	seed("FuzzCompareFile", "proof", w.Proof(ledger.Ev, 5))
	seed("FuzzParsePolicy", "none", []byte("log "+audittest.LogKey(ledger.Ev)+"\nquorum none\n"))
	seed("FuzzParsePolicy", "two-of-three", []byte(twoOfThree(t)))
	for _, f := range unzip(t, bundle) {
		if strings.HasPrefix(f.name, "openings/") {
			for i, line := range bytes.Split(bytes.TrimSpace(f.data), []byte("\n")) {
				seed("FuzzParseLine", fmt.Sprint("line-", i), line)
			}
		}
	}
	for i := range w.Openings {
		seed("FuzzDecode", fmt.Sprint("meta-", i), w.Openings[i].Meta)
		seed("FuzzDecode", fmt.Sprint("priv-", i), w.Openings[i].Priv)
	}
	seed("FuzzDecode", "payload", w.Priv(audittest.Concern).Stmt.Payload)
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The files verify as they lie there, whatever this program would write today.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	trust := audit.Trust{Genesis: string(vector(t, "genesis"))}
	r, err := verifyEvidence(t, vector(t, "evidence.json"), trust)
	if err != nil || !r.Demo || !r.Pinned || r.Items[0].Event != "message.submitted" {
		t.Error(r, err)
	}
	if r, err = verifyEvidence(t, vector(t, "silence.json"), trust); err != nil || r.Items[0].Event != "silence" {
		t.Error(r, err)
	}
	if r, err = verifyReceipt(t, vector(t, "receipt.json"), trust); err != nil || len(r.Items) != 3 {
		t.Error(r, err)
	}
	r, found, err := verify(t, vector(t, "bundle.zip"), trust)
	if failed(found, err) || !r.Bundle.Complete() || r.Bundle.Ev != audittest.StoryEnd {
		t.Error(r, found, err)
	}
	trust.Directory = r.Directory
	if r, err = verifyEvidence(t, vector(t, "evidence.json"), trust); err != nil || !r.Items[0].Replay {
		t.Error(r, err)
	}
}

// FORMAT.md shows the silence of testdata, word for word.
func TestFormatShowsTheVector(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var s shape
	if err := json.Unmarshal(vector(t, "silence.json"), &s); err != nil {
		t.Fatal(err)
	}
	var o evidence.Opening
	if err := json.Unmarshal(s.Opening, &struct {
		Meta *json.RawMessage
		Priv *json.RawMessage
		RM   *[]byte
		RP   *[]byte
	}{(*json.RawMessage)(&o.Meta), (*json.RawMessage)(&o.Priv), &o.RM, &o.RP}); err != nil {
		t.Fatal(err)
	}
	leaf, err := o.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{string(vector(t, "genesis")), string(s.Opening), string(leaf)}
	shown = append(shown, strings.Split(strings.TrimSpace(s.Proof), "\n")...)
	for _, f := range unzip(t, vector(t, "bundle.zip")) {
		if f.name == "bundle.json" {
			shown = append(shown, string(f.data))
		}
		shown = append(shown, f.name)
	}
	for _, text := range shown {
		if text != "" && !bytes.Contains(page, []byte(text)) {
			t.Errorf("FORMAT.md does not show %s", text)
		}
	}
}

func FuzzVerifyFile(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := audit.VerifyEvidence(data, audit.Trust{})
		if err == nil && (len(r.Items) != 1 || len(r.Facts) == 0) {
			t.Error(r)
		}
		if r, err = audit.VerifyReceipt(data, audit.Trust{}); err == nil && len(r.Items) == 0 {
			t.Error(r)
		}
	})
}

// Whatever is compared, or said to convict, nothing that does not verify does.
func FuzzCompareFile(f *testing.F) {
	bundle := vector(f, "bundle.zip")
	silence := vector(f, "silence.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		file := audit.File{R: bytes.NewReader(bundle), Size: int64(len(bundle))}
		if facts, found, err := audit.CompareFile(context.Background(), file, data, nil); err == nil && len(facts)+len(found) == 0 {
			t.Error("nothing was said")
		}
		if r, err := audit.Convict(silence, data, audit.Trust{}); err == nil {
			t.Error("an honest exchange is convicted", r)
		}
	})
}

// A policy that is understood can be asked.
func FuzzParsePolicy(f *testing.F) {
	evidence := vector(f, "evidence.json")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := audit.ParsePolicy(text)
		if err != nil {
			return
		}
		if r, err := audit.VerifyEvidence(evidence, audit.Trust{Policy: p}); err == nil && len(r.Items) != 1 {
			t.Error(r)
		}
	})
}

func FuzzVerifyBundle(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		r, found, err := audit.VerifyBundle(context.Background(), bytes.NewReader(data), int64(len(data)), audit.Trust{}, nil)
		if err == nil && len(found) == 0 && (r.Directory == nil || r.Bundle.Shown > r.Bundle.Ev) {
			t.Error(r)
		}
	})
}

func TestVerifyProof(t *testing.T) {
	w := story(t)
	file, entry := w.Proof(1, 5), leafAt(t, w, 5)
	if _, err := audit.VerifyProof(file, entry, audittest.LogKey(1), audit.Trust{}); err != nil {
		t.Error(err)
	}
	r, _, _ := verify(t, bundleOf(t, w, audit.Options{}), audit.Trust{})
	report, err := audit.VerifyProof(file, entry, "", audit.Trust{Genesis: w.Genesis(), Directory: r.Directory})
	if err != nil || !report.Pinned || report.Items[0].Standing != ledger.Unwitnessed {
		t.Error(report, err)
	}
	for name, c := range map[string]struct {
		file, entry []byte
		key         string
	}{
		"another entry": {file, leafAt(t, w, 6), audittest.LogKey(1)},
		"another log":   {file, entry, audittest.LogKey(0)},
		"no key":        {file, entry, ""},
		"no proof":      {file[:30], entry, audittest.LogKey(1)},
	} {
		if _, err := audit.VerifyProof(c.file, c.entry, c.key, audit.Trust{}); err == nil {
			t.Errorf("%s: verifies", name)
		}
	}
}

func leafAt(t *testing.T, w *audittest.World, idx int64) []byte {
	t.Helper()
	leaf, err := w.Openings[idx].Leaf()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
