package operator_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// A ledger whose key and anchor are in a Vault, which is sealed at the start, is
// sealed again, and whose network breaks after every possible number of bytes of
// an answer: each step publishes or leaves all as it was, and the next one that
// can, does. At the end an old database is put back, and noticed.
func TestPublisherOnVault(t *testing.T) {
	s, ctx := server(t), t.Context()
	if err := as(t, s, "root").CreateKey(ctx, operator.KeyEv, vault.Ed25519); err != nil {
		t.Fatal(err)
	}
	vkey := vkey(t, as(t, s, "root"), 1)
	front := s.Front(t)
	token := s.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{"odziv"}})["auth"].(map[string]any)["client_token"].(string)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := vault.Open(ctx, vault.Config{Address: front.Address, Auth: vault.TokenFile{Path: file}, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.Seal(t)
	signer, err := operator.SignerWhenReady(client, operator.KeyEv, vkey)
	if err != nil {
		t.Fatal(err)
	}
	anchor := operator.Anchor(client, operator.AnchorPath)
	m := storagetest.NewMemory()
	now, size := int64(0), int64(0)
	grow := func() {
		t.Helper()
		now, size = now+1, size+1
		if err := storagetest.Append(m, ledger.Ev, now, fmt.Appendf(nil, "entry %d", now)); err != nil {
			t.Fatal(err)
		}
	}
	step := func() (ledger.Published, error) {
		published, _, err := ledger.NewPublisher(m, ledger.Ev, signer, anchor, ledger.Unwatched{}).Step(ctx, now)
		return published, err
	}
	good := func() {
		t.Helper()
		published, err := step()
		if err != nil || published.Size != size {
			t.Fatalf("published %d of %d, %v", published.Size, size, err)
		}
		if _, err := ledger.ParseCheckpoint(published.Note, signer.Verifier()); err != nil {
			t.Fatal(err)
		}
	}
	grow()
	if _, err := step(); !errors.Is(err, vault.ErrSealed) {
		t.Fatalf("sealed at the start: %v", err)
	}
	s.Unseal(t)
	good()
	s.Seal(t)
	grow()
	if _, err := step(); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("sealed: %v", err)
	}
	s.Unseal(t)
	good()
	old := ledger.Head{}
	if err := m.View(ctx, func(r ledger.Reader) (err error) { old, err = r.Head(ctx, ledger.Ev); return err }); err != nil {
		t.Fatal(err)
	}
	for cut := int64(0); cut < 2400; cut += stride(97) {
		grow()
		front.CutAnswer(cut)
		if _, err := step(); err != nil && !errors.Is(err, vault.ErrUnreachable) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
		front.Mend()
		good()
	}
	if err := m.Truncate(ledger.Ev, old); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		grow()
	}
	if _, err := step(); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("an old database, grown past: %v", err)
	}
}

// stride is how far apart two tries are; ODZIV_ROUNDS makes them denser.
func stride(bytes int64) int64 {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		bytes = int64(float64(bytes) / f)
	}
	return max(bytes, 1)
}
