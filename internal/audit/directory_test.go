package audit_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/audit/second"
)

// directoryVector is a file of keys/directory/testdata, in lines.
func directoryVector(t *testing.T, name string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../keys/directory/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	if scanner.Err() != nil || len(lines) == 0 {
		t.Fatal(scanner.Err())
	}
	return lines
}

// The second verifier replays the directory as keys/directory/FORMAT.md says:
// the golden one to the digest after each leaf, and nothing that must be refused.
func TestSecondReplaysTheDirectory(t *testing.T) {
	golden := directoryVector(t, "golden.jsonl")
	for _, line := range directoryVector(t, "golden.digests") {
		var n int
		var digest string
		if fields := strings.Fields(string(line)); len(fields) == 2 {
			if err := json.Unmarshal([]byte(fields[0]), &n); err != nil {
				t.Fatal(err)
			}
			digest = fields[1]
		}
		if v := python.Ask(t, second.Case{Leaves: golden[:n]}); n > 0 && (!v.OK || v.Facts.Digest != digest) {
			t.Errorf("after %d leaves: %+v, want %s", n, v, digest)
		}
	}
	refused := directoryVector(t, "refused.jsonl")
	for _, line := range refused {
		var r struct {
			After int    `json:"after"`
			Leaf  string `json:"leaf"`
			Why   string `json:"why"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		before := append([][]byte{}, golden[:r.After]...)
		if v := python.Ask(t, second.Case{Leaves: append(before, []byte(r.Leaf))}); v.OK {
			t.Errorf("accepted: %s", r.Why)
		}
	}
	if len(refused) < 100 {
		t.Errorf("only %d leaves to refuse", len(refused))
	}
}
