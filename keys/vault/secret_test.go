package vault_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

// spoken is everything that a value may be printed as.
func spoken(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p", "%T"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	text, err := json.Marshal(v)
	fmt.Fprintf(&b, "%s %v\n", text, err)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	var e error
	if err, ok := v.(error); ok {
		for e = err; e != nil; e = errors.Unwrap(e) {
			fmt.Fprintf(&b, "%v %#v\n", e, e)
		}
	}
	return b.String()
}

func TestSecretPrints(t *testing.T) {
	const canary = "canary-of-a-secret"
	s := vault.NewSecret(canary)
	for _, v := range []any{
		s, &s, []vault.Secret{s}, map[string]vault.Secret{"k": s}, struct{ S vault.Secret }{s}, struct{ s vault.Secret }{s}, &struct{ S *vault.Secret }{&s},
		vault.Userpass{Name: "officer-a", Password: s}, &vault.Config{Auth: vault.Userpass{Password: s}},
	} {
		text := spoken(v)
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("%T prints %s", v, text)
		}
	}
	if s.Reveal() != canary || s.IsZero() || !(vault.Secret{}).IsZero() {
		t.Error("the secret is not kept")
	}
	var zero vault.Secret
	if !strings.Contains(spoken(zero), "redacted") {
		t.Error("a zero secret tells that it is one")
	}
}

// An echo answers every request with all that was sent, as an error, in all the
// ways that Vault, or something in its place, could: nothing of it comes out.
func TestErrorsHoldNoSecret(t *testing.T) {
	const token, password, roleID, plaintext, value = "hvs.canaryTOKEN", "canaryPASSWORD", "canaryROLE", "canaryPLAINTEXT", "canaryVALUE"
	seed := []byte("canarySEEDcanarySEEDcanarySEED!!")
	canaries := []string{"canary", base64.StdEncoding.EncodeToString([]byte(plaintext)), base64.StdEncoding.EncodeToString(seed), fmt.Sprintf("%x", plaintext)}
	var log bytes.Buffer
	dir := t.TempDir()
	for name, text := range map[string]string{"token": token, "role": roleID, "secret": token, "secret.reserve": token} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login := true
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if login && strings.HasSuffix(r.URL.Path, "lookup-self") {
			_, _ = w.Write([]byte(`{"data":{"ttl":0}}`))
			return
		}
		var b bytes.Buffer
		_ = r.Write(&b)
		all := fmt.Sprintf("%s %v %s", b.String(), r.Header, r.URL)
		w.Header().Set("X-Echo", strings.Map(func(c rune) rune { return max(c, ' ') }, all))
		if status == 0 { // not even HTTP
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte(all))
				conn.Close()
			}
			return
		}
		w.WriteHeader(status)
		if status == 418 {
			_, _ = w.Write([]byte(all))
			return
		}
		answer, _ := json.Marshal(map[string]any{"errors": []string{all, "permission denied " + all}, "data": map[string]any{"ciphertext": all, "signature": all, "public_key": all, "type": all, "keys": map[string]any{all: all}, "data": all}})
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	cfg := func(auth vault.Auth) vault.Config {
		return vault.Config{Address: server.URL, Auth: auth, Log: slog.New(slog.NewTextHandler(&log, nil))}
	}
	c, err := vault.Open(t.Context(), cfg(vault.TokenFile{Path: filepath.Join(dir, "token")}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, pub := t.Context(), make(ed25519.PublicKey, 32)
	for _, status = range []int{0, 200, 302, 400, 403, 404, 418, 500, 503} {
		login = true
		errs := []error{
			second(c.Key(ctx, "k")), second(c.Sign(ctx, "k", 1, pub, []byte(plaintext))), second(c.Encrypt(ctx, "k", 1, []byte(plaintext), []byte(plaintext))),
			second(c.Decrypt(ctx, "k", "vault:v1:"+strings.Repeat("A", 40), []byte(plaintext))), c.ImportEd25519(ctx, "k", seed),
			c.ProveEd25519(ctx, "k", 1, seed), second(c.KVPut(ctx, "p", 1, map[string]vault.Secret{"f": vault.NewSecret(value)})), c.KVDelete(ctx, "p"),
		}
		login = false
		for _, auth := range []vault.Auth{
			vault.Userpass{Name: "officer-a", Password: vault.NewSecret(password)},
			vault.AppRole{RoleIDFile: filepath.Join(dir, "role"), SecretIDFile: filepath.Join(dir, "secret")},
			vault.TokenFile{Path: filepath.Join(dir, "token")},
		} {
			opened, err := vault.Open(ctx, cfg(auth))
			if opened != nil {
				opened.Close()
			}
			errs = append(errs, err)
		}
		for i, err := range errs {
			text := spoken(err) + spoken(c) + spoken(c.State()) + log.String()
			for _, canary := range canaries {
				if strings.Contains(text, canary) {
					t.Fatalf("status %d, call %d: %q comes out:\n%s", status, i, canary, text)
				}
			}
		}
	}
}

// The same against a real Vault, with the real token, secret id and their
// wrapping, through a whole life of errors.
func TestLogHoldsNoSecret(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	one, two := w.secretID("secret-id"), w.secretID("secret-id.reserve")
	c, pub := w.running(w.config(w.approle()))
	w.works(c, pub)
	texts := []string{}
	collect := func(err error) { texts = append(texts, spoken(err), spoken(c.State())) }
	collect(second(c.Sign(t.Context(), "other", 1, pub, nil)))
	w.revoke()
	collect(w.sign(c, pub))
	w.works(c, pub)
	w.Seal(t)
	collect(w.sign(c, pub))
	w.Unseal(t)
	w.works(c, pub)
	w.revoke()
	w.until(c, vault.NeedLogin)
	collect(w.sign(c, pub))
	text := strings.Join(texts, "\n") + w.log.String() + spoken(c)
	for _, canary := range []string{one, two, "hvs.", "hvb."} {
		if strings.Contains(text, canary) {
			t.Errorf("%.8s… comes out:\n%s", canary, text)
		}
	}
}
