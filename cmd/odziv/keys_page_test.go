package main

import (
	"os"
	"strings"
	"testing"
)

// Every command of docs/keys.md is one that the program accepts.
func TestKeysPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(page)) {
		command, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "odziv ")
		if !ok || !strings.HasPrefix(line, "    ") {
			continue
		}
		command, _, _ = strings.Cut(strings.TrimSpace(command), "   ") // a word about it may follow
		seen++
		if err := accepts("odziv " + command); err != nil {
			t.Errorf("odziv %s: %v", command, err)
		}
	}
	if seen < 10 {
		t.Errorf("%d commands: this test looks at too few", seen)
	}
}
