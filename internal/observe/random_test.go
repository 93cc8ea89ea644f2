package observe

import (
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"filippo.io/age"
)

// newRandom says which seed it has, so that a failure can be repeated.
func newRandom(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func zipFS(t testing.TB, name string) *zip.Reader {
	data, err := os.ReadFile(name)
	ok(t, err)
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	ok(t, err)
	return r
}

// recipient is a fresh one for desk packages.
func recipient(t testing.TB) string {
	id, err := age.GenerateHybridIdentity()
	ok(t, err)
	return id.Recipient().String()
}
