package request

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzFields feeds the three fields. Nothing verifies but a vector, and what
// parses is in the one spelling.
func FuzzFields(f *testing.F) {
	key, vectors := readVectors(f)
	for _, v := range vectors {
		f.Add(v.Digest, v.Input, v.Signature)
	}
	f.Fuzz(func(t *testing.T, digest, input, signature string) {
		req := received(t, testPath)
		req.Header.Set("Content-Digest", digest)
		req.Header.Set("Signature-Input", input)
		req.Header.Set("Signature", signature)
		if _, err := Verify(req, testHost, testNow, only(key)); err == nil && signature != vectors[0].Signature {
			t.Errorf("verified a signature nobody made: %q", signature)
		}
		p, err := parse(req.Header)
		if err != nil {
			return
		}
		if strings.Count(input, ";tag=\"odziv-req-v1\"") != 1 || !strings.HasPrefix(input, "sig1="+`("@method" "@authority" "@path" "@query" "content-digest");`) {
			t.Errorf("accepted %q", input)
		}
		if p.Created%1000 != 0 || !validNonce(p.Nonce) || len(p.sig) != 64 || "sig1="+p.params != input {
			t.Errorf("parsed %+v of %q", p, input)
		}
	})
}

// FuzzPath: a path that passes has one spelling.
func FuzzPath(f *testing.F) {
	f.Add("/v1/messages/m_oofw6vd6cx6m2svg5rffxs55au")
	f.Fuzz(func(t *testing.T, path string) {
		if checkPath(path) != nil {
			return
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "%\\ ?#\n\x00") || strings.Contains(path, "//") {
			t.Errorf("accepted %q", path)
		}
		if clean := filepath.ToSlash(filepath.Clean(path)); clean != path && clean+"/" != path {
			t.Errorf("%q is not clean, %q", path, clean)
		}
	})
}

func TestSeedsArePresent(t *testing.T) {
	for _, name := range []string{"FuzzFields", "FuzzPath"} {
		if seeds, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(seeds) == 0 {
			t.Errorf("%s: %d seeds, %v", name, len(seeds), err)
		}
	}
}
