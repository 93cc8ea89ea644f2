package vault_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

// A world is a real Vault with the mounts, and a role that may use them.
type world struct {
	*vaulttest.Server
	t      testing.TB
	dir    string
	log    *record
	period string // of the role's tokens
}

const signerPolicy = `
path "transit/keys/sig" { capabilities = ["read"] }
path "transit/sign/sig" { capabilities = ["update"] }
path "transit/encrypt/enc" { capabilities = ["update"] }
path "transit/decrypt/enc" { capabilities = ["update"] }
path "kv/data/app/*" { capabilities = ["create", "read", "update"] }
path "kv/metadata/app/*" { capabilities = ["create", "update", "delete", "list"] }
`

func newWorld(t testing.TB, s *vaulttest.Server) *world {
	t.Helper()
	w := &world{Server: s, t: t, dir: t.TempDir(), log: &record{}, period: "20m"}
	w.Call(t, "POST", "sys/mounts/transit", map[string]any{"type": "transit"})
	w.Call(t, "POST", "sys/mounts/kv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	w.Call(t, "POST", "sys/auth/approle", map[string]any{"type": "approle"})
	w.Call(t, "POST", "sys/auth/userpass", map[string]any{"type": "userpass"})
	w.Call(t, "POST", "transit/keys/sig", map[string]any{"type": "ed25519"})
	w.Call(t, "POST", "transit/keys/enc", map[string]any{"type": "aes256-gcm96"})
	w.policy(signerPolicy)
	w.role(nil)
	return w
}

func (w *world) policy(text string) {
	w.t.Helper()
	w.Call(w.t, "PUT", "sys/policies/acl/app", map[string]any{"policy": text})
}

// role writes the role and the file of its id.
func (w *world) role(more map[string]any) {
	w.t.Helper()
	role := map[string]any{"token_policies": "app", "secret_id_num_uses": 1, "token_period": w.period}
	maps.Copy(role, more)
	w.Call(w.t, "POST", "auth/approle/role/app", role)
	id := w.Call(w.t, "GET", "auth/approle/role/app/role-id", nil)["data"].(map[string]any)["role_id"].(string)
	w.write("role-id", id)
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.file(name), []byte(text+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// wrap asks for something wrapped, as root, and returns the wrapping token.
func (w *world) wrap(path, ttl string) string {
	w.t.Helper()
	out := w.Command(w.t, "write", "-f", "-wrap-ttl="+ttl, "-field=wrapping_token", path)
	return strings.TrimSpace(out)
}

// secretID puts a fresh wrapped secret id into a file and returns the token.
func (w *world) secretID(name string) string {
	w.t.Helper()
	token := w.wrap("auth/approle/role/app/secret-id", "10m")
	w.write(name, token)
	return token
}

func (w *world) approle() vault.AppRole {
	return vault.AppRole{RoleIDFile: w.file("role-id"), SecretIDFile: w.file("secret-id"), Role: "app"}
}

func (w *world) config(auth vault.Auth) vault.Config {
	return vault.Config{Address: w.Address, CACert: w.CACert, Auth: auth, Log: slog.New(slog.NewTextHandler(w.log, nil)), Timeout: 10 * time.Second}
}

// root is a client with the root token.
func (w *world) root() *vault.Client {
	w.t.Helper()
	w.write("root-token", w.RootToken)
	return w.open(w.config(vault.TokenFile{Path: w.file("root-token")}))
}

func (w *world) open(cfg vault.Config) *vault.Client {
	w.t.Helper()
	c, err := vault.Open(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// keep runs the client until the test ends, or until stop.
func (w *world) keep(c *vault.Client) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Errorf("run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// patience bounds a wait for what must come, on the slowest machine.
const patience = time.Minute

// until waits for a state; the test's own limit of time is the only one.
func (w *world) until(c *vault.Client, why string) {
	w.t.Helper()
	limit := time.After(patience)
	for c.State().Why != why {
		select {
		case <-limit:
			w.t.Fatalf("state is %+v, want %s\n%s", c.State(), why, w.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// eventually waits until something succeeds.
func (w *world) eventually(what string, f func() error) {
	w.t.Helper()
	var err error
	for start := time.Now(); time.Since(start) < patience; time.Sleep(10 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	w.t.Fatalf("%s: %v\n%s", what, err, w.log)
}

// A record is a log that may be read while it is written.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// revoke ends every token that a role logged in with.
func (w *world) revoke() {
	w.t.Helper()
	w.revokeAll("approle")
}

// revokeAll ends every token of a display name.
func (w *world) revokeAll(name string) {
	w.t.Helper()
	for _, token := range w.tokens(name) {
		w.Call(w.t, "POST", "auth/token/revoke-accessor", map[string]any{"accessor": token["accessor"]})
	}
}

// tokens are those alive of a display name.
func (w *world) tokens(name string) (found []map[string]any) {
	w.t.Helper()
	all := w.Call(w.t, "LIST", "auth/token/accessors", nil)["data"].(map[string]any)["keys"].([]any)
	for _, accessor := range all {
		_, answer := w.CallAs(w.t, w.RootToken, "POST", "auth/token/lookup-accessor", map[string]any{"accessor": accessor}) // it may be gone by now
		if data, ok := answer["data"].(map[string]any); ok && data["display_name"] == name {
			found = append(found, data)
		}
	}
	return found
}

// noFile and oneFile say what must be left of the files of secret ids.
func (w *world) noFile(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if _, err := os.Stat(w.file(name)); !errors.Is(err, os.ErrNotExist) {
			w.t.Errorf("%s is left: %v", name, err)
		}
	}
}

func (w *world) oneFile(name string) {
	w.t.Helper()
	left, err := filepath.Glob(w.file("secret-id*"))
	if err != nil || len(left) != 1 || left[0] != w.file(name) {
		w.t.Errorf("left: %v, %v, want %s", left, err, name)
	}
}
