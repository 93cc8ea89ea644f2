package vault_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

// What may lie in the file of the secret id, what the program says, and what it
// leaves of the files. The reserve is never touched where somebody else may have
// been at work.
func TestSecretIDFile(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.Call(t, "POST", "auth/approle/role/other", map[string]any{"token_policies": "app"})
	w.Call(t, "POST", "sys/auth/second", map[string]any{"type": "approle"})
	w.Call(t, "POST", "auth/second/role/app", map[string]any{"token_policies": "app"})
	unwrap := func(token string) {
		if status, _ := w.CallAs(t, token, "PUT", "sys/wrapping/unwrap", nil); status != 200 {
			t.Fatalf("unwrap: %d", status)
		}
	}
	const alarm = "ALARM"
	for name, c := range map[string]struct {
		file func() // prepares "secret-id"
		want error
		says string
	}{
		"fresh":            {func() { w.secretID("secret-id") }, nil, ""},
		"no file at all":   {func() {}, vault.ErrLogin, "no secret id is left"},
		"used by somebody": {func() { unwrap(w.secretID("secret-id")) }, vault.ErrLogin, alarm},
		"expired": {func() {
			token := w.wrap("auth/approle/role/app/secret-id", "1s")
			w.write("secret-id", token)
			w.eventually("expiry", func() error {
				if status, _ := w.CallAs(t, "", "PUT", "sys/wrapping/lookup", map[string]string{"token": token}); status == 200 {
					return errors.New("still there")
				}
				return nil
			})
		}, vault.ErrLogin, alarm},
		"wrapped again by a thief": {func() {
			token := w.wrap("auth/approle/role/app/secret-id", "10m")
			_, stolen := w.CallAs(t, token, "PUT", "sys/wrapping/unwrap", nil)
			secret := stolen["data"].(map[string]any)["secret_id"].(string)
			w.write("secret-id", strings.TrimSpace(w.Command(t, "write", "-wrap-ttl=10m", "-field=wrapping_token", "sys/wrapping/wrap", "secret_id="+secret)))
		}, vault.ErrLogin, alarm},
		"of another role":    {func() { w.write("secret-id", w.wrap("auth/approle/role/other/secret-id", "10m")) }, vault.ErrLogin, alarm},
		"of another mount":   {func() { w.write("secret-id", w.wrap("auth/second/role/app/secret-id", "10m")) }, vault.ErrLogin, alarm},
		"something else":     {func() { w.write("secret-id", w.wrap("transit/keys/sig/rotate", "10m")) }, vault.ErrLogin, alarm},
		"not a token":        {func() { w.write("secret-id", "hvs.notatoken") }, vault.ErrLogin, "secret id"},
		"two lines":          {func() { w.write("secret-id", "a\nb") }, vault.ErrLogin, "one token"},
		"empty":              {func() { w.write("secret-id", "") }, vault.ErrLogin, "one token"},
		"huge":               {func() { w.write("secret-id", strings.Repeat("x", 5000)) }, vault.ErrLogin, "too large"},
		"a folder":           {func() { w.mkdir("secret-id") }, vault.ErrLogin, "not a file"},
		"readable by others": {func() { w.secretID("secret-id"); w.chmod("secret-id", 0o644) }, vault.ErrLogin, "chmod"},
		"left over whole":    {func() { w.secretID("secret-id.using") }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.clear()
			c.file()
			reserve := ""
			if c.says == alarm {
				reserve = w.secretID("secret-id.reserve")
			}
			client, err := vault.Open(t.Context(), w.config(w.approle()))
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %v with %q", err, c.want, c.says)
			}
			if err == nil {
				defer client.Close()
				w.noFile("secret-id", "secret-id.using")
				if keys, err := client.PublicKeys(t.Context(), "sig"); len(keys) == 0 || err != nil {
					t.Errorf("%v, %v", keys, err)
				}
				return
			}
			if reserve != "" {
				if status, _ := w.CallAs(t, "", "PUT", "sys/wrapping/lookup", map[string]string{"token": reserve}); status != 200 {
					t.Error("the reserve was spent on an alarm")
				}
			}
		})
	}
}

// A program that was killed while it used a secret id up knows that it was
// itself, and goes on to the next.
func TestSecretIDInterrupted(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	spent := w.secretID("secret-id.using")
	w.CallAs(t, spent, "PUT", "sys/wrapping/unwrap", nil)
	w.secretID("secret-id.reserve")
	c := w.open(w.config(w.approle()))
	if _, err := c.Key(t.Context(), "sig"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.log.String(), "interrupted") {
		t.Errorf("the log says nothing:\n%s", w.log)
	}
	w.noFile("secret-id", "secret-id.using", "secret-id.reserve")
}

// A secret id that was unwrapped is used even if Vault goes away before the login:
// there is no other.
func TestSecretIDKept(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	l := newLiar(t, w)
	w.secretID("secret-id")
	cfg := w.config(w.approle())
	cfg.Address = l.URL
	l.says(func(path string, _ *http.Response, _ []byte) {
		if path == "sys/wrapping/unwrap" { // sealed before the answer arrives
			w.CallAs(t, w.RootToken, "PUT", "sys/seal", nil)
		}
	})
	c, err := vault.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w.keep(c)
	w.until(c, vault.Sealed)
	w.noFile("secret-id", "secret-id.using", "secret-id.reserve")
	l.honest()
	w.Unseal(t)
	w.until(c, vault.Ready)
}

// A program that waits for a login takes the file that is put there, whatever was
// wrong before. A reserve that is stolen is noticed before it is needed.
func TestSecretIDReplaced(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.write("secret-id", "hvs.notatoken")
	c, err := vault.New(w.config(w.approle()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w.keep(c)
	w.eventually("refusal", func() error {
		if s := c.State(); !strings.Contains(s.Detail, "secret id") {
			return errors.New(s.Detail)
		}
		return nil
	})
	if text := w.log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "ALARM") {
		t.Errorf("the refusal was not logged:\n%s", text)
	}
	w.write("secret-id", "two words")
	w.eventually("another refusal in the log", func() error {
		if text := w.log.String(); !strings.Contains(text, "one token") {
			return errors.New(text)
		}
		return nil
	})
	w.secretID("secret-id")
	w.until(c, vault.Ready)

	stolen := w.secretID("secret-id.reserve")
	w.CallAs(t, stolen, "PUT", "sys/wrapping/unwrap", nil)
	w.policy(`path "nothing" { capabilities = ["read"] }`)
	_, _ = c.Key(t.Context(), "sig") // wakes Run
	w.policy(signerPolicy)
	w.eventually("alarm about the reserve", func() error {
		if !strings.Contains(w.log.String(), "no valid reserve secret id") {
			return errors.New("none yet")
		}
		return nil
	})
	if c.State().ReserveSecretID {
		t.Error("a stolen reserve counts")
	}
}

// What Vault refuses at the login itself: another role's id, a revoked secret id.
func TestRoleRefused(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.secretID("secret-id")
	w.write("role-id", "4e1d3c8e-0000-0000-0000-000000000000")
	if _, err := vault.Open(t.Context(), w.config(w.approle())); !errors.Is(err, vault.ErrLogin) || !strings.Contains(err.Error(), "fresh wrapped secret id") {
		t.Errorf("another role id: %v", err)
	}
	w.role(map[string]any{"secret_id_bound_cidrs": "10.9.9.9/32"})
	w.secretID("secret-id")
	if _, err := vault.Open(t.Context(), w.config(w.approle())); !errors.Is(err, vault.ErrLogin) {
		t.Errorf("from another network: %v", err)
	}
	w.role(map[string]any{"token_bound_cidrs": "10.9.9.9/32", "secret_id_bound_cidrs": ""})
	w.secretID("secret-id")
	if c, err := vault.Open(t.Context(), w.config(w.approle())); err == nil {
		defer c.Close()
		if _, err := c.Key(t.Context(), "sig"); !errors.Is(err, vault.ErrDenied) && !errors.Is(err, vault.ErrLogin) {
			t.Errorf("a token bound to another network: %v", err)
		}
	}
}

// A token in a file: taken over when it changes hands, left alone at the end.
func TestTokenFile(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	token := func() string {
		return w.Call(t, "POST", "auth/token/create", map[string]any{"policies": []string{"app"}})["auth"].(map[string]any)["client_token"].(string)
	}
	one := token()
	w.write("token", one)
	c, pub := w.running(w.config(vault.TokenFile{Path: w.file("token")}))
	w.works(c, pub)
	w.CallAs(t, one, "POST", "auth/token/revoke-self", nil)
	w.wantSign(c, pub, vault.ErrLogin)
	w.until(c, vault.NeedLogin)
	if s := c.State(); !strings.Contains(s.Detail, "log in again") {
		t.Errorf("%+v", s)
	}
	two := token()
	w.write("token", two)
	w.works(c, pub)
	c.Close()
	w.wantSign(c, pub, vault.ErrLogin)
	if status, _ := w.CallAs(t, two, "GET", "auth/token/lookup-self", nil); status != 200 {
		t.Errorf("a token of others was revoked: %d", status)
	}
	for name, mode := range map[string]os.FileMode{"absent": 0, "loose": 0o644} {
		if mode != 0 {
			w.write(name, two)
			w.chmod(name, mode)
		}
		if _, err := vault.Open(t.Context(), w.config(vault.TokenFile{Path: w.file(name)})); !errors.Is(err, vault.ErrLogin) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A person's login; Vault would lock out who keeps on trying a wrong password.
func TestUserpass(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.Call(t, "POST", "auth/userpass/users/officer-a", map[string]any{"password": "right", "token_policies": "app"})
	as := func(password string) vault.Config {
		return w.config(vault.Userpass{Name: "officer-a", Password: vault.NewSecret(password)})
	}
	c, pub := w.running(as("right"))
	w.works(c, pub)
	w.revokeAll("userpass-officer-a")
	w.wantSign(c, pub, vault.ErrLogin)
	w.works(c, pub) // the password is still known

	if _, err := vault.Open(t.Context(), as("wrong")); !errors.Is(err, vault.ErrLogin) {
		t.Errorf("wrong: %v", err)
	}
	wrong, err := vault.New(as("wrong"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wrong.Close)
	w.keep(wrong)
	w.eventually("many rounds of Run", func() error {
		if s := wrong.State(); !strings.Contains(s.Detail, "refused") {
			return errors.New(s.Detail)
		}
		return nil
	})
	if _, err := vault.Open(t.Context(), as("right")); err != nil {
		t.Errorf("locked out: %v", err)
	}
}

// A token that was ours alone ends with the client.
func TestClose(t *testing.T) {
	w := newWorld(t, vaulttest.Dev(t))
	w.secretID("secret-id")
	c := w.open(w.config(w.approle()))
	before := len(w.Call(t, "LIST", "auth/token/accessors", nil)["data"].(map[string]any)["keys"].([]any))
	c.Close()
	c.Close()
	after := len(w.Call(t, "LIST", "auth/token/accessors", nil)["data"].(map[string]any)["keys"].([]any))
	if after != before-1 {
		t.Errorf("%d tokens before, %d after", before, after)
	}
	if _, err := c.Key(t.Context(), "sig"); !errors.Is(err, vault.ErrLogin) {
		t.Errorf("after the end: %v", err)
	}
}

func (w *world) mkdir(name string) {
	w.t.Helper()
	if err := os.Mkdir(w.file(name), 0o700); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) chmod(name string, mode os.FileMode) {
	w.t.Helper()
	if err := os.Chmod(w.file(name), mode); err != nil {
		w.t.Fatal(err)
	}
}

// clear removes the files of secret ids.
func (w *world) clear() {
	w.t.Helper()
	left, _ := filepath.Glob(w.file("secret-id*"))
	for _, file := range left {
		if err := os.RemoveAll(file); err != nil {
			w.t.Fatal(err)
		}
	}
}
