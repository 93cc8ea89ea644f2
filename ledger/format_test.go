package ledger_test

import (
	"os"
	"strings"
	"testing"
)

// TestFormatExample: the worked example of FORMAT.md is the vector.
func TestFormatExample(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	v := readVectors(t)
	for what, want := range map[string]string{"vkey": v.VKey, "proof": v.Proof, "empty root": v.Roots["0"].String()} {
		if want == "" || !strings.Contains(string(page), want) {
			t.Errorf("FORMAT.md lacks the %s of the vectors", what)
		}
	}
}
