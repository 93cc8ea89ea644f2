package officer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/office"
	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/officer"
)

var _ office.Keys = (*officer.Keys)(nil)

// TestCreate: keys born in Vault sign, open at a second computer, and are not made
// twice.
func TestCreate(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	c := in.login("officer-a")
	if _, err := officer.Open(ctx, c); !errors.Is(err, officer.ErrNone) {
		t.Errorf("before there are any: %v", err)
	}
	k, made, err := officer.Create(ctx, c, owner, 1)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	sig, err := k.Signer().Sign(ctx, []byte("m"))
	if err != nil || !ed25519.Verify(k.Signer().Public(), []byte("m"), sig) {
		t.Errorf("signature: %v", err)
	}
	if err := k.AddDeskEpoch(desk, 1, identity(t)); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(ctx); err != nil {
		t.Fatal(err)
	}
	elsewhere := owner
	elsewhere.Officer = "u_bbaqeayeaudaocajbifqydiob4"
	again, made, err := officer.Create(ctx, in.login("officer-a"), elsewhere, 2)
	if err != nil || made || again.Owner != owner || again.Created != 1 || again.Recipient() != k.Recipient() || len(again.DeskEpochs(desk)) != 1 {
		t.Errorf("at a second computer: made %v, %v", made, err)
	}
	elsewhere.Inst = "i_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	if _, _, err := officer.Create(ctx, c, elsewhere, 2); !errors.Is(err, keystore.ErrOther) {
		t.Errorf("for another institution: %v", err)
	}
	if _, err := officer.Open(ctx, in.root()); !errors.Is(err, vault.ErrLogin) {
		t.Errorf("the root token is nobody: %v", err)
	}
	if v, _, err := officer.Create(ctx, in.login("officer-b"), owner, 1); err != nil || v.Recipient() == k.Recipient() || v.Name() == k.Name() {
		t.Errorf("officer-b: %v", err)
	}
	// She cannot read nor use what is the other officer's.
	_, _, readErr := in.login("officer-b").KVGet(ctx, k.Name())
	_, signErr := in.login("officer-b").Sign(ctx, k.Name(), 1, k.Signer().Public(), []byte("m"))
	if !errors.Is(readErr, vault.ErrDenied) || !errors.Is(signErr, vault.ErrDenied) {
		t.Errorf("a colleague reads: %v; signs: %v", readErr, signErr)
	}
}

// TestCreateInterrupted: a signing key without identities is what a run leaves
// that was interrupted; the next completes it.
func TestCreateInterrupted(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	c := in.login("officer-a")
	entity, err := c.Entity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateKey(ctx, "officer-"+entity, vault.Ed25519); err != nil {
		t.Fatal(err)
	}
	if _, err := officer.Open(ctx, c); !errors.Is(err, officer.ErrHalf) {
		t.Errorf("half: %v", err)
	}
	if _, made, err := officer.Create(ctx, c, owner, 1); err != nil || !made {
		t.Errorf("completed: %v, %v", made, err)
	}
	if _, err := officer.Open(ctx, c); err != nil {
		t.Error(err)
	}
}

// TestMove: the same keys, in Vault; again and again; with what a second computer
// and the file learned meanwhile.
func TestMove(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	f := file(t, 1, 2)
	c := in.login("officer-a")
	k, err := officer.Move(ctx, c, f)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("the same signature: Ed25519 has one")
	mine, _ := f.Signer().Sign(ctx, message)
	if theirs, err := k.Signer().Sign(ctx, message); err != nil || !bytes.Equal(mine, theirs) {
		t.Errorf("another key signs: %v", err)
	}
	if k.Recipient() != f.Recipient() || fmt.Sprint(k.DeskEpochs(desk)) != "[1 2]" || k.Owner != f.Owner || k.Created != f.Created {
		t.Error("other keys came out")
	}
	if err := k.AddDeskEpoch(desk, 3, identity(t)); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.AddDeskEpoch(desk, 4, identity(t)); err != nil {
		t.Fatal(err)
	}
	k, err = officer.Move(ctx, c, f)
	if err != nil || fmt.Sprint(k.DeskEpochs(desk)) != "[1 2 3 4]" {
		t.Errorf("again: %v, %v", k.DeskEpochs(desk), err)
	}
	if _, err := officer.Move(ctx, c, file(t)); !errors.Is(err, keystore.ErrOther) {
		t.Errorf("other keys of hers: %v", err)
	}
	// age reads the entry without this program.
	text := in.Call(t, "GET", "kv-odziv/data/"+k.Name(), nil)["data"].(map[string]any)["data"].(map[string]any)["keys"].(string)
	ids, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil || len(ids) != 5 {
		t.Errorf("%d identities for age, %v", len(ids), err)
	}
	seen := false
	f.WithSeed(func(seed []byte) error {
		seen = strings.Contains(text, base64.StdEncoding.EncodeToString(seed))
		return nil
	})
	if seen {
		t.Error("the signing key lies in the entry")
	}
	info, err := c.Key(ctx, k.Name())
	if err != nil || info.Exportable || info.PlaintextBackup || info.DeletionAllowed {
		t.Errorf("the key in transit: %+v, %v", info, err)
	}
}

// TestRotated: a key rotated under her feet goes on signing with her version.
func TestRotated(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	k, err := officer.Move(ctx, in.login("officer-a"), file(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	in.Call(t, "POST", "transit-odziv/keys/"+k.Name()+"/rotate", nil)
	if _, err := k.Signer().Sign(ctx, []byte("m")); err != nil {
		t.Errorf("open keys: %v", err)
	}
	again, err := officer.Open(ctx, in.login("officer-a"))
	if err != nil || !again.Signer().Public().Equal(k.Signer().Public()) {
		t.Fatalf("opened after it: %v", err)
	}
	if _, err := again.Signer().Sign(ctx, []byte("m")); err != nil {
		t.Error(err)
	}
	// Somebody puts another key in its place: nothing is signed with it.
	in.Call(t, "POST", "transit-odziv/keys/"+k.Name()+"/config", map[string]any{"deletion_allowed": true})
	in.Call(t, "DELETE", "transit-odziv/keys/"+k.Name(), nil)
	if _, err := officer.Open(ctx, in.login("officer-a")); !errors.Is(err, officer.ErrHalf) {
		t.Errorf("key gone: %v", err)
	}
	in.Call(t, "POST", "transit-odziv/keys/"+k.Name(), map[string]any{"type": "ed25519"})
	if _, err := officer.Open(ctx, in.login("officer-a")); !errors.Is(err, keystore.ErrOther) {
		t.Errorf("another key: %v", err)
	}
	if sig, err := again.Signer().Sign(ctx, []byte("m")); err == nil {
		t.Errorf("signed by another key: %x", sig)
	}
}

// TestTwoComputers: both add desk epochs at once; none is lost, in any order.
func TestTwoComputers(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	if _, err := officer.Move(ctx, in.login("officer-a"), file(t, 1)); err != nil {
		t.Fatal(err)
	}
	const each = 5
	var wg sync.WaitGroup
	for pc := range 3 {
		k, err := officer.Open(ctx, in.login("officer-a"))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for n := range each {
				if err := k.AddDeskEpoch(other, int64(1+100*pc+n), identity(t)); err != nil {
					t.Error(err)
				}
				if err := k.Save(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	k, err := officer.Open(ctx, in.login("officer-a"))
	if err != nil || len(k.DeskEpochs(other)) != 3*each || len(k.DeskEpochs(desk)) != 1 {
		t.Errorf("%v %v", k.DeskEpochs(other), err)
	}
}

// TestDrop: a dropped epoch is gone from Vault, not brought back by a second
// computer's merge, and no older version of the entry keeps it.
func TestDrop(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	ctx := t.Context()
	f := file(t, 1, 2)
	k, err := officer.Move(ctx, in.login("officer-a"), f)
	if err != nil {
		t.Fatal(err)
	}
	second, err := officer.Open(ctx, in.login("officer-a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.AddDeskEpoch(desk, 3, identity(t)); err != nil {
		t.Fatal(err)
	}
	if err := second.Save(ctx); err != nil {
		t.Fatal(err)
	}
	old, _ := k.DeskIdentity(desk, 1)
	k.DropDeskEpoch(desk, 1)
	if err := k.DropPrevious(ctx); err != nil {
		t.Fatal(err)
	}
	again, err := officer.Open(ctx, in.login("officer-a"))
	if err != nil || fmt.Sprint(again.DeskEpochs(desk)) != "[2 3]" {
		t.Errorf("%v %v", again.DeskEpochs(desk), err)
	}
	for version := range 8 {
		if status, answer := in.CallAs(t, in.RootToken, "GET", fmt.Sprintf("kv-odziv/data/%s?version=%d", k.Name(), version+1), nil); status == 200 && strings.Contains(fmt.Sprint(answer), old.String()) {
			t.Errorf("version %d still has it", version+1)
		}
	}
}

// TestRedacted: neither the keys nor the entry nor a token is printed.
func TestRedacted(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	k, err := officer.Move(t.Context(), in.login("officer-a"), file(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := k.DeskIdentity(desk, 1)
	nested := struct {
		k *officer.Keys
		s any
	}{k, k.Signer()}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, k)
		fmt.Fprintf(&out, verb, nested)
		fmt.Fprintf(&out, verb, []any{k.Signer()})
	}
	json.NewEncoder(&out).Encode([]any{k})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "k", k)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "k", k)
	for _, secret := range []string{id.String(), k.Identity().String(), password, "hvs."} {
		if strings.Contains(strings.ToUpper(out.String()), strings.ToUpper(secret)) {
			t.Error("a secret was printed")
		}
	}
	if !strings.Contains(out.String(), "redacted") {
		t.Error("nothing was printed")
	}
}

// after locking, what was read from Vault is gone from memory's reach.
func TestForgotten(t *testing.T) {
	in := newInstitution(t, vaulttest.Dev(t))
	k, err := officer.Move(t.Context(), in.login("officer-a"), file(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	k.Forget()
	_, held := k.DeskIdentity(desk, 1)
	_, signErr := k.Signer().Sign(context.Background(), nil)
	if held || !errors.Is(signErr, keystore.ErrLocked) || !errors.Is(k.Save(t.Context()), keystore.ErrLocked) {
		t.Errorf("held %v, signs %v", held, signErr)
	}
}
