package vault_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/odziv/odziv/keys/vault"
)

// A ciphertext is accepted in its one spelling.
func FuzzCiphertextVersion(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		n, err := vault.CiphertextVersion(text)
		if err != nil {
			if n != 0 || !errors.Is(err, vault.ErrCiphertext) {
				t.Errorf("%d, %v", n, err)
			}
			return
		}
		if n < 1 || !strings.HasPrefix(text, "vault:v"+strconv.Itoa(n)+":") {
			t.Errorf("%q: version %d", text, n)
		}
	})
}

// Whatever an answer holds, nothing is believed that does not verify, and no
// error is of a kind that nobody documented.
func FuzzAnswer(f *testing.F) {
	var status int
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/token/lookup-self" {
			_, _ = w.Write([]byte(`{"data":{"ttl":0}}`))
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	f.Cleanup(server.Close)
	file := filepath.Join(f.TempDir(), "token")
	if err := os.WriteFile(file, []byte("hvs.x"), 0o600); err != nil {
		f.Fatal(err)
	}
	c, err := vault.Open(context.Background(), vault.Config{Address: server.URL, Auth: vault.TokenFile{Path: file}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	pub := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	message := []byte("a message")
	kinds := []error{vault.ErrSealed, vault.ErrUnreachable, vault.ErrLogin, vault.ErrDenied, vault.ErrKeyVersion, vault.ErrAnswer, vault.ErrNotFound, vault.ErrConflict, vault.ErrCiphertext}
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = 200+(s%400+400)%400, b
		ctx := t.Context()
		sig, err := c.Sign(ctx, "k", 1, pub, message)
		if err == nil && !ed25519.Verify(pub, message, sig) {
			t.Errorf("believed %x", sig)
		}
		errs := []error{err}
		text, err := c.Encrypt(ctx, "k", 1, message, nil)
		if n, _ := vault.CiphertextVersion(text); err == nil && n != 1 {
			t.Errorf("believed %q", text)
		}
		info, err2 := c.Key(ctx, "k")
		if err2 == nil && (info.Type == "" || info.Latest < 1) {
			t.Errorf("believed %+v", info)
		}
		_, version, err3 := c.KVGet(ctx, "p")
		if err3 == nil && version < 0 {
			t.Errorf("believed version %d", version)
		}
		for _, err := range append(errs, err, err2, err3) {
			known := err == nil || strings.Contains(err.Error(), "refused the request")
			for _, kind := range kinds {
				known = known || errors.Is(err, kind)
			}
			if !known {
				t.Errorf("status %d: %v", status, err)
			}
		}
	})
}
