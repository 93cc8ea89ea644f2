package vault_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

// What a program does with its keys all day, logged in by role.
func TestTransit(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	w.secretID("secret-id")
	c := w.open(w.config(w.approle()))
	keys, err := c.PublicKeys(ctx, "sig")
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	sig, err := c.Sign(ctx, "sig", 1, keys[1], []byte("a message"))
	if err != nil || !ed25519.Verify(keys[1], []byte("a message"), sig) {
		t.Fatalf("%x, %v", sig, err)
	}
	for _, text := range []string{"", "text"} {
		for _, aad := range [][]byte{nil, []byte("bound to this")} {
			ct, err := c.Encrypt(ctx, "enc", 0, []byte(text), aad)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := vault.CiphertextVersion(ct); n != 1 || err != nil {
				t.Errorf("%s: version %d, %v", ct, n, err)
			}
			pt, err := c.Decrypt(ctx, "enc", ct, aad)
			if err != nil || string(pt) != text {
				t.Errorf("%q, %v", pt, err)
			}
			if _, err := c.Decrypt(ctx, "enc", ct, []byte("bound to that")); !errors.Is(err, vault.ErrCiphertext) {
				t.Errorf("other associated data: %v", err)
			}
		}
	}
	if s := c.State(); !s.Ready || s.Why != vault.Ready {
		t.Errorf("%+v", s)
	}
}

// A key made elsewhere signs in Vault as it did outside.
func TestImport(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	c := w.root()
	seed := make([]byte, 32)
	rand.Read(seed)
	if err := c.ImportEd25519(ctx, "own", seed); err != nil {
		t.Fatal(err)
	}
	if err := c.ImportEd25519(ctx, "own", seed); !errors.Is(err, vault.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if err := c.ProveEd25519(ctx, "own", 1, make([]byte, 32)); !errors.Is(err, vault.ErrAnswer) {
		t.Errorf("another seed: %v", err)
	}
	info, err := c.Key(ctx, "own")
	if err != nil || !info.Imported || info.Exportable || info.PlaintextBackup || info.DeletionAllowed {
		t.Errorf("%+v, %v", info, err)
	}
	if status, answer := w.CallAs(t, w.RootToken, "GET", "transit/export/signing-key/own", nil); status/100 == 2 {
		t.Errorf("exported: %v", answer)
	}
	if n, err := c.Rotate(ctx, "own"); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if err := c.ProveEd25519(ctx, "own", 1, seed); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
}

func TestCreate(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	c := w.root()
	for _, typ := range []vault.KeyType{vault.Ed25519, vault.AES256GCM} {
		name := "new-" + string(typ)
		if err := c.CreateKey(ctx, name, typ); err != nil {
			t.Fatal(err)
		}
		if err := c.CreateKey(ctx, name, typ); !errors.Is(err, vault.ErrExists) {
			t.Errorf("twice: %v", err)
		}
	}
	if _, err := c.Key(ctx, "absent"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	if _, err := c.PublicKeys(ctx, "new-aes256-gcm96"); !errors.Is(err, vault.ErrAnswer) {
		t.Errorf("public keys of a secret key: %v", err)
	}
}

func TestKV(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	w.secretID("secret-id")
	c := w.open(w.config(w.approle()))
	if fields, n, err := c.KVGet(ctx, "app/a"); fields != nil || n != 0 || err != nil {
		t.Fatalf("%v %d %v", fields, n, err)
	}
	one := map[string]vault.Secret{"k": vault.NewSecret("one")}
	if err := c.KVConfigure(ctx, "app/a", 2); err != nil {
		t.Fatal(err)
	}
	if n, err := c.KVPut(ctx, "app/a", 0, one); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := c.KVPut(ctx, "app/a", 0, one); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("second first: %v", err)
	}
	if n, err := c.KVPut(ctx, "app/a", 1, map[string]vault.Secret{"k": vault.NewSecret("two")}); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if fields, n, err := c.KVGet(ctx, "app/a"); fields["k"].Reveal() != "two" || n != 2 || err != nil {
		t.Errorf("%v %d %v", fields, n, err)
	}
	if list, err := c.KVList(ctx, "app"); len(list) != 1 || list[0] != "a" || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := c.KVPut(ctx, "app/a", 2, map[string]vault.Secret{"k": vault.NewSecret("\xff\x00")}); err == nil {
		t.Error("bytes that JSON alters were written")
	}
	if _, err := c.KVPut(ctx, "app/a", 2, map[string]vault.Secret{"k": vault.NewSecret(strings.Repeat("x", vault.MaxMessage))}); err == nil {
		t.Error("written without bound")
	}
	w.Call(t, "DELETE", "kv/data/app/a", nil)
	if fields, n, err := c.KVGet(ctx, "app/a"); fields != nil || n != 2 || err != nil {
		t.Errorf("deleted: %v %d %v", fields, n, err)
	}
	if err := c.KVDelete(ctx, "app/a"); err != nil {
		t.Error(err)
	}
	if list, err := c.KVList(ctx, "app"); len(list) != 0 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
}
