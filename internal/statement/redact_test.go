package statement_test

import (
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

// Nothing that names somebody stays, and nothing else goes.
func TestRedact(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"":                       "",
		"nothing to hide at 42":  "nothing to hide at 42",
		"key ed25519:" + sum:     "key ed25519:…",
		`k="` + sum + `", again`: `k="…", again`,
	} {
		if got := statement.Redact(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, prefix := range []string{statement.Person, statement.Case, statement.Message, statement.Consent} {
		id := statement.NewID(prefix)
		if got := statement.Redact("insert " + id + ": refused; twice " + id); got != "insert …: refused; twice …" {
			t.Errorf("%q", got)
		}
	}
}
