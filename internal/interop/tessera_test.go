package interop

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/internal/witness"
	"github.com/odziv/odziv/ledger"
)

// ourWitness runs a witness of ours for the log of a verifier key.
func ourWitness(t *testing.T, name string, log note.Verifier) (url string, key *witness.Key) {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := witness.NewKey(name, statement.NewSigningKey(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := witness.OpenMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &witness.Witness{Key: key, Memory: memory, Clock: func() int64 { return time.Now().UnixMilli() },
		Verifiers: func(origin string) []note.Verifier {
			if origin != log.Name() {
				return nil
			}
			return []note.Verifier{log}
		}}
	server := httptest.NewServer(w.Handler(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		server.Close()
		memory.Close()
	})
	return server.URL, key
}

// A log of Tessera's asks our witnesses as it asks any, and publishes what they
// cosigned; we find its quorum met.
func TestTesseraAsksOurWitnesses(t *testing.T) {
	private, public, err := note.GenerateKey(rand.Reader, "tessera.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	urlA, a := ourWitness(t, "a.example", verifier)
	urlB, b := ourWitness(t, "b.example", verifier)
	text := fmt.Sprintf("witness a %s %s\nwitness b %s %s\ngroup both 2 a b\nquorum both\n", a.VerifierKey(), urlA, b.VerifierKey(), urlB)
	group, err := tessera.NewWitnessGroupFromPolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := ledger.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).WithBatching(16, 10*time.Millisecond).WithWitnesses(group, nil))
	if err != nil {
		t.Fatal(err)
	}
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	for round := range 5 {
		index, signed, err := await.Await(ctx, appender.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", round))))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		c, err := ledger.ParseCheckpoint(signed, verifier)
		if err != nil || c.Size <= int64(index.Index) || policy.Standing(signed) != ledger.Confirmed {
			t.Errorf("round %d: size %d, %s, %v", round, c.Size, policy.Standing(signed), err)
		}
	}
	if err := shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}
