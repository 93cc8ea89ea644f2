package operator_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// policy is what the operator's server may do, as ../DESIGN.md has it: what
// passes here needs no more.
const policy = `
path "transit/keys/ckpt-dir" { capabilities = ["read"] }
path "transit/keys/ckpt-ev" { capabilities = ["read"] }
path "transit/sign/ckpt-dir" { capabilities = ["update"] }
path "transit/sign/ckpt-ev" { capabilities = ["update"] }
path "transit/encrypt/period" { capabilities = ["update"] }
path "transit/decrypt/period" { capabilities = ["update"] }
path "kv/data/odziv/last-checkpoint/dir" { capabilities = ["read", "create", "update"] }
path "kv/data/odziv/last-checkpoint/ev" { capabilities = ["read", "create", "update"] }
path "kv/metadata/odziv/last-checkpoint/dir" { capabilities = ["create", "update"] }
path "kv/metadata/odziv/last-checkpoint/ev" { capabilities = ["create", "update"] }
`

// server mounts what the operator has.
func server(t testing.TB) *vaulttest.Server {
	t.Helper()
	s := vaulttest.Dev(t)
	s.Call(t, "POST", "sys/mounts/transit", map[string]any{"type": "transit"})
	s.Call(t, "POST", "sys/mounts/kv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	s.Call(t, "PUT", "sys/policies/acl/odziv", map[string]any{"policy": policy})
	return s
}

// as opens a client with a token of some policy.
func as(t testing.TB, s *vaulttest.Server, policy string) *vault.Client {
	t.Helper()
	token := s.RootToken
	if policy != "root" {
		token = s.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{policy}})["auth"].(map[string]any)["client_token"].(string)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := vault.Open(t.Context(), vault.Config{Address: s.Address, Auth: vault.TokenFile{Path: file}, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func seed() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

const origin = "ledger.example/ev"

// vkeys are the verifier keys of all versions of the ledger's key, by version.
func vkey(t testing.TB, c *vault.Client, version int) string {
	t.Helper()
	keys, err := c.PublicKeys(t.Context(), operator.KeyEv)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ledger.VerifierKey(origin, keys[version])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkSigns signs a checkpoint and opens it with the verifier key alone.
func checkSigns(t testing.TB, s ledger.Signer, vkey string) {
	t.Helper()
	c := ledger.Checkpoint{Origin: origin, Size: 7, Root: [32]byte{1}}
	note, err := ledger.SignCheckpoint(t.Context(), s, c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ledger.ParseVerifierKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ledger.ParseCheckpoint(note, v); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
}

// A key that is rotated, retired and trimmed under a signer's feet: it signs
// with its own version or not at all, and says which.
func TestSignerUnderRotation(t *testing.T) {
	s, ctx := server(t), t.Context()
	root := as(t, s, "root")
	own := seed()
	if err := root.ImportEd25519(ctx, operator.KeyEv, own); err != nil {
		t.Fatal(err)
	}
	inFile, err := ledger.NewSigningKey(origin, own)
	if err != nil {
		t.Fatal(err)
	}
	app := as(t, s, "odziv")
	one, err := operator.Signer(ctx, app, operator.KeyEv, inFile.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	checkSigns(t, one, inFile.VerifierKey())
	late, err := operator.SignerWhenReady(app, operator.KeyEv, inFile.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := root.Rotate(ctx, operator.KeyEv); err != nil {
			t.Fatal(err)
		}
	}
	checkSigns(t, one, inFile.VerifierKey())
	checkSigns(t, late, inFile.VerifierKey())
	three, err := operator.Signer(ctx, app, operator.KeyEv, vkey(t, root, 3))
	if err != nil {
		t.Fatal(err)
	}
	checkSigns(t, three, vkey(t, root, 3))

	s.Call(t, "POST", "transit/keys/ckpt-ev/config", map[string]any{"min_encryption_version": 3})
	if _, err := one.Sign(ctx, []byte("x")); !errors.Is(err, vault.ErrKeyVersion) || !strings.Contains(err.Error(), "min_encryption_version") {
		t.Errorf("retired: %v", err)
	}
	checkSigns(t, three, vkey(t, root, 3))
	s.Call(t, "POST", "transit/keys/ckpt-ev/config", map[string]any{"min_encryption_version": 0})
	checkSigns(t, one, inFile.VerifierKey())

	if err := root.Retire(ctx, operator.KeyEv, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Sign(ctx, []byte("x")); !errors.Is(err, vault.ErrKeyVersion) {
		t.Errorf("trimmed: %v", err)
	}
	if _, err := operator.Signer(ctx, app, operator.KeyEv, inFile.VerifierKey()); !errors.Is(err, vault.ErrKeyVersion) {
		t.Errorf("trimmed, at the start: %v", err)
	}
	checkSigns(t, three, vkey(t, root, 3))
}

// Keys that are not there, of another kind, of another log, no key at all.
func TestSignerRefuses(t *testing.T) {
	s, ctx := server(t), t.Context()
	root, app := as(t, s, "root"), as(t, s, "odziv")
	other, err := ledger.NewSigningKey(origin, seed())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Signer(ctx, app, operator.KeyEv, other.VerifierKey()); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	for name, typ := range map[string]vault.KeyType{operator.KeyEv: vault.Ed25519, operator.KeyDir: vault.AES256GCM} {
		if err := root.CreateKey(ctx, name, typ); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := operator.Signer(ctx, app, operator.KeyEv, other.VerifierKey()); !errors.Is(err, vault.ErrKeyVersion) {
		t.Errorf("another key: %v", err)
	}
	if _, err := operator.Signer(ctx, app, operator.KeyDir, other.VerifierKey()); !errors.Is(err, vault.ErrAnswer) {
		t.Errorf("a key that cannot sign: %v", err)
	}
	if _, err := operator.Signer(ctx, app, operator.KeyEv, "not a key"); err == nil {
		t.Error("not a verifier key: accepted")
	}
	if _, err := operator.Signer(ctx, app, "no/../key", other.VerifierKey()); err == nil {
		t.Error("not a name: accepted")
	}
}

func TestPeriods(t *testing.T) {
	s, ctx := server(t), t.Context()
	root := as(t, s, "root")
	if err := root.CreateKey(ctx, operator.KeyPeriod, vault.AES256GCM); err != nil {
		t.Fatal(err)
	}
	keys := operator.Periods(as(t, s, "odziv"), operator.KeyPeriod)
	p := shred.Period{ID: "2026-11", Key: shred.NewKey()}
	wrapped, err := keys.WrapPeriod(ctx, p)
	if err != nil || operator.PeriodVersion(wrapped) != 1 {
		t.Fatalf("%q, %v", wrapped, err)
	}
	opens := func(id string, wrapped []byte) error {
		got, err := keys.UnwrapPeriod(ctx, id, wrapped)
		if err == nil && (got.ID != id || !bytes.Equal(got.Key.Secret(), p.Key.Secret())) {
			t.Errorf("opens to another key")
		}
		if err != nil && !got.Key.IsZero() {
			t.Errorf("a key beside an error")
		}
		return err
	}
	if err := opens(p.ID, wrapped); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := shred.InitKeyFile(file); err != nil {
		t.Fatal(err)
	}
	inFile, err := shred.OpenKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sixty, err := inFile.WrapPeriod(ctx, p)
	if err != nil || len(sixty) != 60 || operator.PeriodVersion(sixty) != 0 {
		t.Errorf("wrapped by a key file: %d bytes, version %d, %v", len(sixty), operator.PeriodVersion(sixty), err)
	}
	if _, err := inFile.UnwrapPeriod(ctx, p.ID, wrapped); !errors.Is(err, shred.ErrKey) {
		t.Errorf("a key file opens what a Vault wrapped: %v", err)
	}
	flipped := bytes.Clone(wrapped)
	flipped[20] ^= 1 // another base64 character, or none
	for what, bad := range map[string][]byte{
		"another period": nil, "of a key file": sixty, "flipped": flipped, "cut": wrapped[:len(wrapped)-8], "empty": {},
		"huge": bytes.Repeat(wrapped, 100), "version 2": bytes.Replace(wrapped, []byte("v1"), []byte("v2"), 1),
	} {
		id, text := p.ID, bad
		if bad == nil {
			id, text = "2026-12", wrapped
		}
		if err := opens(id, text); !errors.Is(err, shred.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, bad := range []shred.Period{{ID: "2026-11"}, {Key: shred.NewKey()}, {ID: "a\x00b", Key: shred.NewKey()}, {ID: strings.Repeat("a", 41), Key: shred.NewKey()}} {
		if _, err := keys.WrapPeriod(ctx, bad); err == nil {
			t.Errorf("wrapped %+v", bad)
		}
	}
}

// Urgent erasure: the key is rotated, the survivors move, the old version goes,
// and with it every old copy.
func TestRewrap(t *testing.T) {
	s, ctx := server(t), t.Context()
	root := as(t, s, "root")
	if err := root.CreateKey(ctx, operator.KeyPeriod, vault.AES256GCM); err != nil {
		t.Fatal(err)
	}
	keys := operator.Periods(as(t, s, "odziv"), operator.KeyPeriod)
	p := shred.Period{ID: "2026-11", Key: shred.NewKey()}
	old, err := keys.WrapPeriod(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := keys.Rewrap(ctx, p.ID, old); err != nil || !bytes.Equal(same, old) {
		t.Errorf("nothing to move: %q, %v", same, err)
	}
	if _, err := root.Rotate(ctx, operator.KeyPeriod); err != nil {
		t.Fatal(err)
	}
	moved, err := keys.Rewrap(ctx, p.ID, old)
	if err != nil || operator.PeriodVersion(moved) != 2 {
		t.Fatalf("%q, %v", moved, err)
	}
	if err := root.Retire(ctx, operator.KeyPeriod, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.UnwrapPeriod(ctx, p.ID, old); !errors.Is(err, shred.ErrKey) || !errors.Is(err, vault.ErrKeyVersion) {
		t.Errorf("the old copy: %v", err)
	}
	if got, err := keys.UnwrapPeriod(ctx, p.ID, moved); err != nil || !bytes.Equal(got.Key.Secret(), p.Key.Secret()) {
		t.Errorf("the survivor: %v", err)
	}
}

func TestAnchor(t *testing.T) {
	s := server(t)
	n := 0
	storagetest.RunAnchor(t, func(t testing.TB) func() ledger.Anchor {
		n++
		path := operator.AnchorPath
		if n > 1 { // the policy covers the one path of the product; the suite wants fresh ones
			s.Call(t, "DELETE", "kv/metadata/"+path+"/ev", nil)
		}
		c := as(t, s, "odziv")
		return func() ledger.Anchor { return operator.Anchor(c, path) }
	})
}

// What Vault keeps of a log stays small, and who does not say what she replaces
// is refused.
func TestAnchorInVault(t *testing.T) {
	s, ctx := server(t), t.Context()
	a := operator.Anchor(as(t, s, "odziv"), operator.AnchorPath)
	for size := range int64(8) {
		if err := a.Keep(ctx, ledger.Ev, storagetest.SignedCheckpoint(t, size, 1)); err != nil {
			t.Fatal(err)
		}
	}
	path := operator.AnchorPath + "/ev"
	meta := s.Call(t, "GET", "kv/metadata/"+path, nil)["data"].(map[string]any)
	if n := len(meta["versions"].(map[string]any)); n != 3 {
		t.Errorf("%d versions are kept", n)
	}
	if status, _ := s.CallAs(t, s.RootToken, "PUT", "kv/data/"+path, map[string]any{"data": map[string]string{"checkpoint": "x"}}); status != 400 {
		t.Errorf("written without saying over what: %d", status)
	}

	s.Call(t, "PUT", "kv/data/"+path, map[string]any{"data": map[string]string{"checkpoint": "garbage"}, "options": map[string]int{"cas": 8}})
	if _, err := a.Last(ctx, ledger.Ev); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("garbage: %v", err)
	}
	if err := a.Keep(ctx, ledger.Ev, storagetest.SignedCheckpoint(t, 20, 1)); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("kept over garbage: %v", err)
	}
	// Deleted is empty, as a missing file is, and can be filled again.
	s.Call(t, "DELETE", "kv/data/"+path, nil)
	if last, err := a.Last(ctx, ledger.Ev); last != nil || err != nil {
		t.Errorf("deleted: %q, %v", last, err)
	}
	if err := a.Keep(ctx, ledger.Ev, storagetest.SignedCheckpoint(t, 20, 1)); err != nil {
		t.Errorf("adopted after deletion: %v", err)
	}
}

// A Vault that forgot, an old snapshot of it put back: what the server remembers
// of it counts for nothing.
func TestAnchorForgotten(t *testing.T) {
	s, ctx := server(t), t.Context()
	a := operator.Anchor(as(t, s, "odziv"), operator.AnchorPath)
	for range 2 {
		if err := a.Keep(ctx, ledger.Ev, storagetest.SignedCheckpoint(t, 5, 1)); err != nil {
			t.Fatal(err)
		}
		if last, err := operator.Anchor(as(t, s, "odziv"), operator.AnchorPath).Last(ctx, ledger.Ev); err != nil || string(last) != string(storagetest.SignedCheckpoint(t, 5, 1)) {
			t.Errorf("holds %q, %v", last, err)
		}
		s.Call(t, "DELETE", "kv/metadata/"+operator.AnchorPath+"/ev", nil)
	}
}

// A Vault that gives out a ciphertext of something else: it is not believed, or a
// period's messages would be lost with the memory of the server.
func TestPeriodsCheckWhatWasWrapped(t *testing.T) {
	s, ctx := server(t), t.Context()
	if err := as(t, s, "root").CreateKey(ctx, operator.KeyPeriod, vault.AES256GCM); err != nil {
		t.Fatal(err)
	}
	p := shred.Period{ID: "2026-11", Key: shred.NewKey()}
	honest := operator.Periods(as(t, s, "odziv"), operator.KeyPeriod)
	elsewhere, err := honest.WrapPeriod(ctx, shred.Period{ID: p.ID, Key: shred.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/transit/encrypt/") {
			body := fmt.Appendf(nil, `{"data":{"ciphertext":%q,"key_version":1}}`, elsewhere)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	through := *s
	through.Address = front.URL
	lied := operator.Periods(as(t, &through, "root"), operator.KeyPeriod)
	if wrapped, err := lied.WrapPeriod(ctx, p); wrapped != nil || !errors.Is(err, vault.ErrAnswer) {
		t.Errorf("%q, %v", wrapped, err)
	}
}

// An anchor that Vault does not answer for says so, and goes on afterwards.
func TestAnchorAway(t *testing.T) {
	s := server(t)
	c := as(t, s, "odziv")
	a := operator.Anchor(c, operator.AnchorPath)
	if err := a.Keep(t.Context(), ledger.Ev, storagetest.SignedCheckpoint(t, 1, 1)); err != nil {
		t.Fatal(err)
	}
	s.Seal(t)
	if err := a.Keep(t.Context(), ledger.Ev, storagetest.SignedCheckpoint(t, 2, 1)); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("sealed: %v", err)
	}
	if last, err := a.Last(t.Context(), ledger.Ev); last != nil || !errors.Is(err, vault.ErrSealed) {
		t.Errorf("sealed: %q, %v", last, err)
	}
	s.Unseal(t)
	if err := a.Keep(t.Context(), ledger.Ev, storagetest.SignedCheckpoint(t, 2, 1)); err != nil {
		t.Errorf("unsealed: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Keep(ended, ledger.Ev, storagetest.SignedCheckpoint(t, 3, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
