package officer_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/officer"
)

// TestSealed: sealed, restarted, unsealed. Errors say what it is, nothing is half
// done, and all goes on afterwards.
func TestSealed(t *testing.T) {
	in := newInstitution(t, vaulttest.Raft(t))
	ctx := t.Context()
	f := file(t, 1)
	k, err := officer.Move(ctx, in.login("officer-a"), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.AddDeskEpoch(desk, 2, identity(t)); err != nil {
		t.Fatal(err)
	}
	fails := func(want error) {
		t.Helper()
		_, openErr := vault.Open(ctx, in.config(in.Address, "officer-a"))
		_, signErr := k.Signer().Sign(ctx, []byte("m"))
		for what, err := range map[string]error{"log in": openErr, "sign": signErr, "save": k.Save(ctx)} {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		if _, ok := k.DeskIdentity(desk, 1); !ok {
			t.Error("what is open is read without Vault")
		}
	}
	in.Seal(t)
	fails(vault.ErrSealed)
	in.Kill(t)
	fails(vault.ErrUnreachable)
	in.Start(t)
	again, err := officer.Open(ctx, in.login("officer-a"))
	if err != nil || fmt.Sprint(again.DeskEpochs(desk)) != "[1]" {
		t.Fatalf("half done: %v %v", again.DeskEpochs(desk), err)
	}
	if err := k.Save(ctx); err != nil { // the token outlived it
		t.Fatal(err)
	}
	if again, err = officer.Open(ctx, in.login("officer-a")); err != nil || fmt.Sprint(again.DeskEpochs(desk)) != "[1 2]" {
		t.Errorf("%v %v", again.DeskEpochs(desk), err)
	}
}

// TestDenied: a policy that lacks something is named, and what was begun is
// completed once it is there.
func TestDenied(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	f := file(t, 1)
	for _, without := range []string{"transit-odziv/wrapping_key", "transit-odziv/keys/officer-", "transit-odziv/sign/officer-", "kv-odziv/data/officer-", "kv-odziv/metadata/officer-"} {
		in.policy(without)
		if _, err := officer.Move(ctx, in.login("officer-a"), f); !errors.Is(err, vault.ErrDenied) {
			t.Errorf("without %s: %v", without, err)
		}
	}
	in.policy("")
	if _, err := officer.Move(ctx, in.login("officer-a"), f); err != nil {
		t.Error(err)
	}
}

// TestRevokedToken: a token that ended is said to need a login, and a new one
// goes on.
func TestRevokedToken(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	k, err := officer.Move(ctx, in.login("officer-a"), file(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	in.Call(t, "POST", "sys/leases/revoke-prefix/auth/userpass/login/officer-a", nil)
	if _, err := k.Signer().Sign(ctx, []byte("m")); !errors.Is(err, vault.ErrLogin) && !errors.Is(err, vault.ErrDenied) {
		t.Errorf("signs with no token: %v", err)
	}
	if _, err := officer.Open(ctx, in.login("officer-a")); err != nil {
		t.Error(err)
	}
}

// TestMoveCut cuts the network at every answer of a move in turn: it fails
// clearly, and the next try completes it with the same keys.
func TestMoveCut(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	front := in.Front(t)
	f := file(t, 1)
	before, _ := f.Elsewhere()
	failed := 0
	for bytes := int64(0); ; bytes += 400 {
		front.Mend()
		c := in.loginAt(front.Address, "officer-a")
		front.CutAnswer(bytes)
		k, err := officer.Move(ctx, c, f)
		if err == nil {
			front.Mend()
			if now, _ := k.Elsewhere(); string(now) != string(before) {
				t.Error("other keys came out")
			}
			break
		}
		if failed++; !errors.Is(err, vault.ErrUnreachable) {
			t.Errorf("after %d bytes of answers: %v", bytes, err)
		}
	}
	if failed < 5 {
		t.Errorf("only %d cuts", failed)
	}
	if err := f.WithSeed(func([]byte) error { return nil }); err != nil {
		t.Errorf("the file's key: %v", err)
	}
	k, err := officer.Open(ctx, in.login("officer-a"))
	if err != nil || !k.Signer().Public().Equal(f.Signer().Public()) || k.Owner.Role != keystore.Officer {
		t.Error(err)
	}
}
