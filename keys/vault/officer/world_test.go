package officer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"

	"filippo.io/age"
)

const (
	inst  = "i_rooefvdqc76v4aa4ktvk2uhrku"
	desk  = "d_3szd7marwgqlg6r4kjhjghzkoa"
	other = "d_pda6tmwkkd7jgevhhctmmhya3i"
)

var owner = keystore.Owner{Role: keystore.Officer, Inst: inst, Officer: "u_aaaqeayeaudaocajbifqydiob4"}

// institution is a real Vault as deploy/vault makes an institution's, with
// officers who log in by name and password.
type institution struct {
	*vaulttest.Server
	t *testing.T
}

func newInstitution(t *testing.T, s *vaulttest.Server) *institution {
	t.Helper()
	in := &institution{s, t}
	in.Call(t, "POST", "sys/mounts/transit-odziv", map[string]any{"type": "transit"})
	in.Call(t, "POST", "sys/mounts/kv-odziv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	in.Call(t, "POST", "sys/auth/userpass", map[string]any{"type": "userpass"})
	in.policy("")
	for _, name := range []string{"officer-a", "officer-b"} {
		in.Call(t, "POST", "auth/userpass/users/"+name, map[string]any{"password": password, "token_policies": "officer", "token_no_default_policy": true})
	}
	return in
}

const password = "a password of these tests"

// policy is the one that offices apply, with words taken out of it.
func (in *institution) policy(without string) {
	in.t.Helper()
	text, err := os.ReadFile("../../../deploy/vault/institution-officer.hcl")
	if err != nil {
		in.t.Fatal(err)
	}
	policy := string(text)
	if without != "" {
		if !strings.Contains(policy, without) {
			in.t.Fatalf("the policy does not say %s", without)
		}
		policy = strings.ReplaceAll(policy, without, without+"-of-nobody")
	}
	in.Call(in.t, "PUT", "sys/policies/acl/officer", map[string]any{"policy": policy})
}

func (in *institution) config(address, name string) vault.Config {
	return vault.Config{Address: address, CACert: in.CACert, Transit: "transit-odziv", KV: "kv-odziv", Timeout: 10 * time.Second,
		Auth: vault.Userpass{Name: name, Password: vault.NewSecret(password)}}
}

// login is an officer at one of her computers.
func (in *institution) login(name string) *vault.Client {
	in.t.Helper()
	return in.loginAt(in.Address, name)
}

func (in *institution) loginAt(address, name string) *vault.Client {
	in.t.Helper()
	c, err := vault.Open(in.t.Context(), in.config(address, name))
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(c.Close)
	return c
}

// root is a client that may do everything, and is nobody.
func (in *institution) root() *vault.Client {
	in.t.Helper()
	file := filepath.Join(in.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(in.RootToken), 0o600); err != nil {
		in.t.Fatal(err)
	}
	cfg := in.config(in.Address, "x")
	cfg.Auth = vault.TokenFile{Path: file}
	c, err := vault.Open(in.t.Context(), cfg)
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(c.Close)
	return c
}

func identity(t testing.TB) *age.HybridIdentity {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// file is a keystore with epochs, in memory only.
func file(t testing.TB, epochs ...int64) *keystore.Keystore {
	t.Helper()
	k, err := keystore.Generate(owner, 1772442000123, keystore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range epochs {
		if err := k.AddDeskEpoch(desk, e, identity(t)); err != nil {
			t.Fatal(err)
		}
	}
	return k
}
