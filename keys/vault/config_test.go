package vault_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

func TestConfig(t *testing.T) {
	file := vault.TokenFile{Path: "/nowhere"}
	for _, c := range []struct {
		cfg  vault.Config
		says string // "" if good
	}{
		{vault.Config{Address: "https://vault.example:8200", Auth: file}, ""},
		{vault.Config{Address: "https://vault.example:8200/", Auth: file}, ""},
		{vault.Config{Address: "http://127.0.0.1:8200", Auth: file}, ""},
		{vault.Config{Address: "http://[::1]:8200", Auth: file}, ""},
		{vault.Config{Address: "http://localhost:8200", Auth: file}, ""},
		{vault.Config{Address: "http://vault.example:8200", Auth: file}, "clear"},
		{vault.Config{Address: "http://10.0.0.1:8200", Auth: file}, "clear"},
		{vault.Config{Address: "http://127.0.0.1.example:8200", Auth: file}, "clear"},
		{vault.Config{Address: "http://localhost.example:8200", Auth: file}, "clear"},
		{vault.Config{Address: "", Auth: file}, "https://host:port"},
		{vault.Config{Address: "vault.example:8200", Auth: file}, "https://"},
		{vault.Config{Address: "unix:///run/vault", Auth: file}, "https://"},
		{vault.Config{Address: "ftp://vault.example", Auth: file}, "https://"},
		{vault.Config{Address: "https://a:b@vault.example", Auth: file}, "https://host:port"},
		{vault.Config{Address: "https://vault.example/path", Auth: file}, "https://host:port"},
		{vault.Config{Address: "https://vault.example?x", Auth: file}, "https://host:port"},
		{vault.Config{Address: "https://vault.example", Auth: nil}, "no way to log in"},
		{vault.Config{Address: "https://vault.example", Auth: vault.TokenFile{}}, "token file"},
		{vault.Config{Address: "https://vault.example", Auth: vault.AppRole{RoleIDFile: "x"}}, "approle"},
		{vault.Config{Address: "https://vault.example", Auth: vault.AppRole{RoleIDFile: "x", SecretIDFile: "y", Mount: "../sys"}}, "approle mount"},
		{vault.Config{Address: "https://vault.example", Auth: vault.AppRole{RoleIDFile: "x", SecretIDFile: "y", Role: "a/b"}}, "role"},
		{vault.Config{Address: "https://vault.example", Auth: vault.Userpass{Name: "officer-a"}}, "password"},
		{vault.Config{Address: "https://vault.example", Auth: vault.Userpass{Name: "officer-a/../x", Password: vault.NewSecret("x")}}, "user name"},
		{vault.Config{Address: "https://vault.example", Auth: file, Transit: "a/../b"}, "transit mount"},
		{vault.Config{Address: "https://vault.example", Auth: file, KV: "/kv"}, "kv mount"},
		{vault.Config{Address: "https://vault.example", Auth: file, CACert: "/nowhere"}, "nowhere"},
		{vault.Config{Address: "https://vault.example", Auth: file, CACert: os.Args[0]}, "no certificate"},
	} {
		client, err := vault.New(c.cfg)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.says)
		}
		if client != nil {
			client.Close()
		}
	}
}

// Names that would lead to another path of Vault's are refused before anything
// is sent.
func TestNames(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	c := w.root()
	for _, bad := range []string{"", ".", "..", "../sys/mounts", "a/../../sys", "a//b", "/a", "a/", "a?b", "a#b", "a b", "a%2fb", "ä", "a\n", "-a", ".a", strings.Repeat("a", 201)} {
		for what, err := range map[string]error{
			"key":    second(c.Key(ctx, bad)),
			"put":    second(c.KVPut(ctx, bad, 0, nil)),
			"delete": c.KVDelete(ctx, bad),
			"list":   second(c.KVList(ctx, bad)),
			"config": c.KVConfigure(ctx, bad, 1),
			"create": c.CreateKey(ctx, bad, vault.Ed25519),
			"rotate": second(c.Rotate(ctx, bad)),
			"retire": c.Retire(ctx, bad, 1),
		} {
			if err == nil || !strings.Contains(err.Error(), "name that can be used") {
				t.Errorf("%s %q: %v", what, bad, err)
			}
		}
	}
	if _, err := c.Key(ctx, "a/b"); err == nil {
		t.Error("a key in a folder")
	}
}

func second[T any](_ T, err error) error { return err }

// Nothing that stands in the environment changes what the configuration says:
// not the address, the token, the namespace, headers, proxies or wrapping.
func TestEnvironment(t *testing.T) {
	var astray atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { astray.Add(1) }))
	t.Cleanup(elsewhere.Close)
	w := newWorld(t, vaulttest.Start(t, vaulttest.Options{TLS: true}))
	w.secretID("secret-id")
	for name, value := range map[string]string{
		"VAULT_ADDR": elsewhere.URL, "VAULT_AGENT_ADDR": elsewhere.URL, "VAULT_TOKEN": "hvs.fromtheenvironment", "VAULT_SKIP_VERIFY": "1",
		"VAULT_NAMESPACE": "elsewhere", "VAULT_HEADERS": `{"X-Odd":"1"}`, "VAULT_WRAP_TTL": "60s", "VAULT_MFA": "x", "VAULT_MAX_RETRIES": "9",
		"VAULT_CLIENT_TIMEOUT": "1ns", "VAULT_RATE_LIMIT": "0.001:1", "VAULT_SRV_LOOKUP": "1", "VAULT_TLS_SERVER_NAME": "elsewhere.example",
		"VAULT_PROXY_ADDR": elsewhere.URL, "VAULT_HTTP_PROXY": elsewhere.URL, "HTTPS_PROXY": elsewhere.URL, "HTTP_PROXY": elsewhere.URL, "ALL_PROXY": elsewhere.URL,
		"SSLKEYLOGFILE": w.file("keylog"),
	} {
		t.Setenv(name, value)
	}
	c, pub := w.running(w.config(w.approle()))
	w.works(c, pub)
	cfg := w.config(vault.TokenFile{Path: w.file("none")})
	if _, err := vault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrLogin) {
		t.Errorf("logged in with the environment's token: %v", err)
	}
	cfg = w.config(w.approle())
	cfg.CACert = ""
	w.secretID("secret-id")
	if _, err := vault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrUnreachable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	if n := astray.Load(); n != 0 {
		t.Errorf("%d requests went astray", n)
	}
}

// Nor does anything of it travel with a request.
func TestEnvironmentDoesNotTravel(t *testing.T) {
	var headers http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers = r.Header.Clone()
		_, _ = w.Write([]byte(`{"data":{"ttl":0}}`))
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"VAULT_TOKEN": "other", "VAULT_NAMESPACE": "ns", "VAULT_HEADERS": `{"X-Odd":"1"}`, "VAULT_WRAP_TTL": "60s", "VAULT_MFA": "x"} {
		t.Setenv(name, value)
	}
	file := t.TempDir() + "/token"
	if err := os.WriteFile(file, []byte("hvs.own"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := vault.Open(t.Context(), vault.Config{Address: server.URL, Auth: vault.TokenFile{Path: file}})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	first := headers
	anyone, _ := vault.Open(t.Context(), vault.Config{Address: server.URL, Auth: vault.Userpass{Name: "officer-a", Password: vault.NewSecret("x")}})
	if token := headers.Get("X-Vault-Token"); anyone != nil || token != "" {
		t.Errorf("a login travels with %q", token)
	}
	headers = first
	if headers.Get("X-Vault-Token") != "hvs.own" || headers.Get("X-Vault-Request") != "true" {
		t.Errorf("%v", headers)
	}
	for name := range headers {
		if !slices.Contains([]string{"X-Vault-Token", "X-Vault-Request", "User-Agent", "Content-Length", "Accept-Encoding"}, name) {
			t.Errorf("%s travels", name)
		}
	}
}

// What Vault's library cannot read in the environment it refuses to start with;
// it must be said, without the value.
func TestEnvironmentUnreadable(t *testing.T) {
	t.Setenv("VAULT_HEADERS", "canary, not JSON")
	_, err := vault.New(vault.Config{Address: "https://vault.example", Auth: vault.TokenFile{Path: "x"}})
	if err == nil || !strings.Contains(err.Error(), "VAULT_") || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

// TLS: Vault's own authority, and no other; a server without TLS, or an old one,
// is not talked to.
func TestTLS(t *testing.T) {
	w := newWorld(t, vaulttest.Start(t, vaulttest.Options{TLS: true}))
	w.secretID("secret-id")
	c, pub := w.running(w.config(w.approle()))
	w.works(c, pub)

	other := newWorld(t, vaulttest.Start(t, vaulttest.Options{TLS: true}))
	cfg := w.config(w.approle())
	cfg.CACert = other.CACert
	w.secretID("secret-id")
	if _, err := vault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrUnreachable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another authority: %v", err)
	}
	w.oneFile("secret-id") // nothing was spent on somebody else

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	w.write("old.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: old.Certificate().Raw})))
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for says, address := range map[string]string{"protocol version": old.URL, "no TLS": strings.Replace(plain.URL, "http:", "https:", 1)} {
		cfg := w.config(w.approle())
		cfg.Address, cfg.CACert = address, w.file("old.pem")
		if _, err := vault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrUnreachable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}

// A server that accepts and says nothing, or drips its answer, costs no more than
// the time limit.
func TestStalled(t *testing.T) {
	for what, behave := range map[string]func(net.Conn){
		"silent": func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, // held until the client gives up
		"dripping": func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096)) // an answer before the question would be no answer
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
			for range 1000 {
				if _, err := conn.Write([]byte(" ")); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		},
	} {
		listen, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listen.Close() })
		go func() {
			for {
				conn, err := listen.Accept()
				if err != nil {
					return
				}
				go behave(conn)
			}
		}()
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/token", []byte("hvs.x"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := vault.Config{Address: "http://" + listen.Addr().String(), Auth: vault.TokenFile{Path: dir + "/token"}, Timeout: 200 * time.Millisecond}
		if _, err := vault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrUnreachable) || !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
