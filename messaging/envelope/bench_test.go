package envelope

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
)

const benchSize = 256 << 20

// BenchmarkAttachment seals and opens a 256 MiB attachment through files, and
// reports how it compares with a bare loop that does the same age encryption,
// the same two SHA-256 and the same file writes, taking the best run of each,
// in turns, since other work on the machine only ever adds time. The budget is
// at least 0.9.
func BenchmarkAttachment(b *testing.B) {
	dir := b.TempDir()
	plain := filepath.Join(dir, "plain")
	writePattern(b, plain, benchSize)
	ours, bare := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		bare = min(bare, elapsed(func() { bareLoop(b, dir, plain) }))
		ours = min(ours, elapsed(func() { sealAndOpen(b, dir, plain) }))
	}
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "bare/ours")
	b.ReportMetric(benchSize/(1<<20)/ours.Seconds(), "ours-MiB/s")
}

func elapsed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// bareLoop encrypts once and decrypts twice (the discarding pass is part of the
// design), hashing plaintext and ciphertext each way.
func bareLoop(b *testing.B, dir, plain string) {
	sealed, out := filepath.Join(dir, "bare.age"), filepath.Join(dir, "bare.out")
	identity := identB
	withFiles(b, plain, sealed, func(in io.Reader, f io.Writer) {
		hp, hc := sha256.New(), sha256.New()
		w, err := age.Encrypt(io.MultiWriter(f, hc), identity.Recipient())
		must(b, err)
		_, err = io.Copy(io.MultiWriter(w, hp), in)
		must(b, err)
		must(b, w.Close())
	})
	for _, to := range []string{os.DevNull, out} {
		withFiles(b, sealed, to, func(in io.Reader, f io.Writer) {
			hp, hc := sha256.New(), sha256.New()
			r, err := age.Decrypt(io.TeeReader(in, hc), identity)
			must(b, err)
			_, err = io.Copy(io.MultiWriter(f, hp), r)
			must(b, err)
		})
	}
}

func sealAndOpen(b *testing.B, dir, plain string) {
	sealed, out := filepath.Join(dir, "ours.age"), filepath.Join(dir, "ours.out")
	s, err := NewSealer(idMsg)
	must(b, err)
	withFiles(b, plain, sealed, func(in io.Reader, f io.Writer) {
		_, err := s.Attach(context.Background(), File{Name: "a", Type: "a/b", Size: benchSize, Content: in}, f)
		must(b, err)
	})
	m, err := s.Seal(context.Background(), draft(), signerA)
	must(b, err)
	o, err := Open(context.Background(), m.Notice.DSSE, publicOf(signerA), identB, idDeskB, bytes.NewReader(m.Body))
	must(b, err)
	withFiles(b, sealed, out, func(in io.Reader, f io.Writer) {
		must(b, o.OpenPart(context.Background(), 0, Seekable(in.(*os.File)), f))
	})
}

func withFiles(b *testing.B, from, to string, do func(io.Reader, io.Writer)) {
	in, err := os.Open(from)
	must(b, err)
	defer in.Close()
	out, err := os.Create(to)
	must(b, err)
	do(in, out)
	must(b, out.Close())
}

func writePattern(b *testing.B, name string, size int64) {
	f, err := os.Create(name)
	must(b, err)
	_, err = io.CopyN(f, zeros{}, size)
	must(b, err)
	must(b, f.Close())
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}
