package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/wire"
)

const docs = "../../docs/api.md"

func readDocs(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestDocsExample: the example is the first test vector, line by line.
func TestDocsExample(t *testing.T) {
	raw, err := os.ReadFile("request/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Seed    string
		Vectors []struct {
			Base, Signature string
			Digest          string `json:"content_digest"`
			Input           string `json:"signature_input"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	page, v := readDocs(t), file.Vectors[0]
	for _, want := range []string{file.Seed, "\n" + v.Base + "\n```", "\nContent-Digest: " + v.Digest + "\n",
		"\nSignature-Input: " + v.Input + "\n", "\nSignature: " + v.Signature + "\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s lacks %q", docs, want)
		}
	}
}

// TestDocsErrors: the table is that of the program, and nothing else.
func TestDocsErrors(t *testing.T) {
	page := readDocs(t)
	_, table, found := strings.Cut(page, "| code | status | meaning |\n|---|---|---|\n")
	if !found {
		t.Fatal("no table")
	}
	want := ""
	for _, c := range wire.Codes {
		status := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Status), " ", ", "), "[]")
		want += fmt.Sprintf("| `%s` | %s | %s |\n", c.Name, status, c.Title)
	}
	if table != want {
		t.Errorf("the table is not:\n%s", want)
	}
}

// TestDocsPaths: every path it names is one that is served.
func TestDocsPaths(t *testing.T) {
	known := map[string]bool{}
	for _, r := range api.Routes() {
		known[r.Path] = true
	}
	for _, word := range strings.FieldsFunc(readDocs(t), func(r rune) bool { return strings.ContainsRune(" \n`,;()", r) }) {
		path, _, _ := strings.Cut(word, "?")
		if (strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/dir/") || strings.HasPrefix(path, "/ev/")) && !strings.Contains(path, "m_oofw") && !known[path] && !strings.HasPrefix(path, "/v1/pending/{sha256") {
			t.Errorf("%s names %s", docs, path)
		}
	}
}
