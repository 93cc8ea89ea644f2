package vaulttest

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// binary builds the server, or finds it in the cache.
var binary = sync.OnceValues(func() (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("vaulttest: the test program does not know its source")
	}
	script := filepath.Join(filepath.Dir(here), "..", "vaultserver", "build.sh")
	out, err := exec.Command("bash", script).Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return "", fmt.Errorf("vaulttest: building Vault: %w\n%s\nhint: it needs the Go module proxy, bash, sha256sum, flock and 5 GB of memory, once", err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
})

// Binary is the path of the vault command, the server and its command line in
// one. The test fails where it cannot be built.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
