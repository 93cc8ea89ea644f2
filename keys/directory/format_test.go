package directory_test

import (
	"os"
	"strings"
	"testing"

	"github.com/odziv/odziv/keys/directory"
)

// format is the specification beside the code.
func format(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The worked examples of FORMAT.md are those of the vectors.
func TestFormatShowsTheVectors(t *testing.T) {
	text, w := format(t), golden(t)
	signed, err := directory.Decode(w.leaves[15])
	if err != nil {
		t.Fatal(err)
	}
	first, err := directory.Decode(w.leaves[0])
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		"payload of genesis": string(first.DSSE.Payload), "hash of genesis": w.now().Genesis(),
		"leaf 15": string(w.leaves[15]), "hash of leaf 15": signed.Hash, "payload of leaf 15": string(signed.DSSE.Payload),
		"digest after it": digest(t, w.states[16]),
	} {
		if !strings.Contains(text, want+"\n") && !strings.Contains(text, "`"+want+"`") {
			t.Errorf("%s: FORMAT.md does not show %s", what, want)
		}
	}
}

// Every kind, role and function is in FORMAT.md, and every rule of the vectors.
func TestFormatIsComplete(t *testing.T) {
	text, w := format(t), golden(t)
	for _, leaf := range w.leaves {
		signed, err := directory.Decode(leaf)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "| `"+signed.Type+"` |") || !strings.Contains(text, `"t":"`+signed.Type+`"`) {
			t.Errorf("%s: no row or no example", signed.Type)
		}
	}
	if !strings.Contains(text, "**Roles**: "+strings.Join(directory.Roles, ", ")+".") {
		t.Error("roles")
	}
	if !strings.Contains(text, "**Functions** `fn`: "+strings.Join(directory.Functions, ", ")+".") {
		t.Error("functions")
	}
	for rule := range rules {
		if !strings.Contains(text, "`"+rule+"`") {
			t.Errorf("rule %s", rule)
		}
	}
}
