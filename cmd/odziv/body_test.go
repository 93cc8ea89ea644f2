package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// A revocation without its head says since when a key is not to be trusted: any
// time up to now.
func TestBodyOfRevocation(t *testing.T) {
	for from, ok := range map[int64]bool{1: true, time.Now().UnixMilli() - 1: true, time.Now().Add(time.Hour).UnixMilli(): false} {
		name := filepath.Join(t.TempDir(), "revoke.json")
		text := fmt.Sprintf(`{"t":"officer.revoke","u":%q,"key":"ed25519:%064x","from":%d,"reason":"left"}`, statement.NewID(statement.Officer), 1, from)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		body, err := bodyOf(name)
		if _, is := body.(*directory.OfficerRevoke); ok != (err == nil && is) {
			t.Errorf("from %d: %v", from, err)
		}
	}
}
