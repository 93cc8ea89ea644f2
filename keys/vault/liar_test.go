package vault_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/vaulttest"
	"github.com/odziv/odziv/keys/vault"
)

// A liar sits between program and Vault and answers what it likes.
type liar struct {
	*httptest.Server
	// lie is asked for every answer; nil leaves it as it is.
	lie atomic.Pointer[func(path string, r *http.Response, body []byte)]
}

func newLiar(t testing.TB, w *world) *liar {
	t.Helper()
	to, err := url.Parse(w.Address)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		put(r, body)
		if lie := l.lie.Load(); lie != nil {
			(*lie)(strings.TrimPrefix(r.Request.URL.Path, "/v1/"), r, body)
		}
		return nil
	}
	l.Server = httptest.NewServer(proxy)
	t.Cleanup(l.Close)
	return l
}

func put(r *http.Response, body []byte) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
}

func (l *liar) says(f func(path string, r *http.Response, body []byte)) { l.lie.Store(&f) }

func (l *liar) honest() { l.lie.Store(nil) }

// data replaces the data of every answer.
func (l *liar) data(f func(data map[string]any)) {
	l.says(func(_ string, r *http.Response, body []byte) {
		var whole map[string]any
		if json.Unmarshal(body, &whole) != nil {
			return
		}
		if data, ok := whole["data"].(map[string]any); ok {
			f(data)
		}
		altered, _ := json.Marshal(whole)
		put(r, altered)
	})
}

// text replaces whole answers.
func (l *liar) text(status int, text string) {
	l.says(func(_ string, r *http.Response, _ []byte) {
		r.StatusCode = status
		put(r, []byte(text))
	})
}

// Whatever comes back instead of a signature, Sign returns none; one honest
// answer later all is well.
func TestForgedSignatures(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	l := newLiar(t, w)
	cfg := w.config(w.approle())
	cfg.Address = l.URL
	w.secretID("secret-id")
	c := w.open(cfg)
	keys, err := c.PublicKeys(ctx, "sig")
	if err != nil {
		t.Fatal(err)
	}
	w.Call(t, "POST", "transit/keys/sig/rotate", nil)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a message")
	spell := func(version int, sig []byte) string {
		return fmt.Sprintf("vault:v%d:%s", version, base64.StdEncoding.EncodeToString(sig))
	}
	theirs := ed25519.Sign(other, message)
	asked := func(version int) string { // an honest signature
		answer := w.Call(t, "PUT", "transit/sign/sig", map[string]any{"input": message, "key_version": version})
		return answer["data"].(map[string]any)["signature"].(string)
	}
	one, two := asked(1), asked(2)
	for name, lie := range map[string]func(){
		"another key's":            func() { l.data(func(d map[string]any) { d["signature"] = spell(1, theirs) }) },
		"the next version's":       func() { l.data(func(d map[string]any) { d["signature"], d["key_version"] = two, 2 }) },
		"the next, called ours":    func() { l.data(func(d map[string]any) { d["signature"] = strings.Replace(two, "v2", "v1", 1) }) },
		"two versions in one":      func() { l.data(func(d map[string]any) { d["key_version"] = 2 }) },
		"version 01":               func() { l.data(func(d map[string]any) { d["signature"] = strings.Replace(one, "v1", "v01", 1) }) },
		"cut":                      func() { l.data(func(d map[string]any) { d["signature"] = spell(1, theirs[:63]) }) },
		"none":                     func() { l.data(func(d map[string]any) { delete(d, "signature") }) },
		"a number":                 func() { l.data(func(d map[string]any) { d["signature"] = 7 }) },
		"not base64":               func() { l.data(func(d map[string]any) { d["signature"] = "vault:v1:%%%" }) },
		"no data":                  func() { l.text(200, `{"data":null}`) },
		"nothing":                  func() { l.text(200, ``) },
		"no content":               func() { l.text(204, ``) },
		"a page":                   func() { l.text(200, `<html>please log in</html>`) },
		"a list":                   func() { l.text(200, `[]`) },
		"deep":                     func() { l.text(200, strings.Repeat(`[`, 100000)) },
		"huge":                     func() { l.text(200, `{"data":{"x":"`+strings.Repeat("a", 3<<20)+`"}}`) },
		"a huge error":             func() { l.text(400, strings.Repeat("a", 3<<20)) },
		"a redirect to elsewhere":  func() { l.text(302, ``) },
		"not modified":             func() { l.text(304, ``) },
		"a redirect with a signed": func() { l.says(func(_ string, r *http.Response, _ []byte) { r.StatusCode = 300 }) },
	} {
		lie()
		sig, err := c.Sign(ctx, "sig", 1, keys[1], message)
		if sig != nil || !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("%s: %x, %v", name, sig, err)
		}
		l.honest()
		if _, err := c.Sign(ctx, "sig", 1, keys[1], message); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	l.data(func(d map[string]any) { d["signature"], d["key_version"] = two, 2 })
	if _, err := c.Sign(ctx, "sig", 1, keys[1], message); !errors.Is(err, vault.ErrKeyVersion) {
		t.Errorf("another version: %v", err)
	}
}

// The same for everything else that is asked.
func TestForgedAnswers(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	l := newLiar(t, w)
	w.write("root-token", w.RootToken)
	cfg := w.config(vault.TokenFile{Path: w.file("root-token")})
	cfg.Address = l.URL
	c := w.open(cfg)
	ct, err := c.Encrypt(ctx, "enc", 0, []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.KVPut(ctx, "app/a", 0, map[string]vault.Secret{"k": vault.NewSecret("v")}); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"key":     func() error { _, err := c.Key(ctx, "sig"); return err },
		"encrypt": func() error { _, err := c.Encrypt(ctx, "enc", 1, []byte("x"), nil); return err },
		"decrypt": func() error { _, err := c.Decrypt(ctx, "enc", ct, nil); return err },
		"kvget":   func() error { _, _, err := c.KVGet(ctx, "app/a"); return err },
		"import":  func() error { return c.ImportEd25519(ctx, "new", make([]byte, 32)) },
	}
	set := func(name string, v any) func(map[string]any) { return func(d map[string]any) { d[name] = v } }
	for _, lie := range []struct {
		call string
		f    func(map[string]any)
	}{
		{"key", set("type", "")}, {"key", set("latest_version", 0)}, {"key", set("keys", map[string]any{"1": map[string]any{"public_key": "YQ=="}})},
		{"key", set("keys", map[string]any{"x": map[string]any{}})}, {"key", set("keys", 3)},
		{"encrypt", set("ciphertext", "vault:v2:"+strings.Repeat("A", 40))}, {"encrypt", set("ciphertext", "")}, {"encrypt", set("key_version", 9)},
		{"encrypt", set("ciphertext", "vault:v1:AAAA")},
		{"decrypt", set("plaintext", nil)}, {"decrypt", set("plaintext", "%")}, {"decrypt", set("plaintext", 5)},
		{"kvget", set("data", nil)}, {"kvget", set("data", map[string]any{"k": 5})}, {"kvget", set("metadata", nil)},
	} {
		l.data(lie.f)
		if err := calls[lie.call](); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("%s: %v", lie.call, err)
		}
	}
	for name, f := range calls {
		l.text(200, `{"data":{}}`)
		if err := f(); err == nil {
			t.Errorf("%s believes an empty answer", name)
		}
		l.text(200, "garbage")
		if err := f(); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("%s: garbage: %v", name, err)
		}
		for _, status := range []int{400, 403, 404} {
			l.text(status, "<html>not Vault</html>")
			if err := f(); !errors.Is(err, vault.ErrAnswer) {
				t.Errorf("%s: a page with status %d: %v", name, status, err)
			}
		}
		l.text(500, "garbage")
		if err := f(); !errors.Is(err, vault.ErrUnreachable) {
			t.Errorf("%s: trouble: %v", name, err)
		}
		l.honest()
		if err := f(); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
	l.text(200, "garbage")
	w.keep(c)
	w.until(c, vault.Unreachable)
	l.honest()
	w.until(c, vault.Ready)
}

// A wrapping key that is too short, or no key, gets no seed; an import that
// stores another key is noticed.
func TestForgedImport(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	l := newLiar(t, w)
	w.write("root-token", w.RootToken)
	cfg := w.config(vault.TokenFile{Path: w.file("root-token")})
	cfg.Address = l.URL
	c := w.open(cfg)
	seed := make([]byte, 32)
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(short.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, public := range []any{nil, "", "x", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAbADwYyhf+zSuHNU8aO3/3L8eYVa1JPbbGf6tq0/+cac=\n-----END PUBLIC KEY-----\n"} {
		l.data(func(d map[string]any) {
			if _, ok := d["public_key"]; ok {
				d["public_key"] = public
			}
		})
		if err := c.ImportEd25519(ctx, "new", seed); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("%v: %v", public, err)
		}
	}
	wrong := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)).Public().(ed25519.PublicKey)
	l.data(func(d map[string]any) {
		if keys, ok := d["keys"].(map[string]any); ok {
			keys["1"].(map[string]any)["public_key"] = base64.StdEncoding.EncodeToString(wrong)
		}
	})
	if err := c.ImportEd25519(ctx, "new", seed); !errors.Is(err, vault.ErrAnswer) {
		t.Errorf("another public key: %v", err)
	}
	for what, forged := range map[string]map[string]any{"can be taken out": {"exportable": true}, "another type": {"type": "ed448"}, "of somebody else": {"latest_version": 2}} {
		l.data(func(d map[string]any) {
			for name, v := range forged {
				if _, ok := d[name]; ok {
					d[name] = v
				}
			}
		})
		if err := c.CreateKey(ctx, "made-"+strings.ReplaceAll(what, " ", "-"), vault.Ed25519); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// No redirect is followed, to wherever and with whatever status: nobody else
// ever sees the token.
func TestRedirect(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	var asked atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(thief.Close)
	l := newLiar(t, w)
	cfg := w.config(w.approle())
	cfg.Address = l.URL
	w.secretID("secret-id")
	c := w.open(cfg)
	for _, status := range []int{301, 302, 303, 307, 308} {
		l.says(func(path string, r *http.Response, _ []byte) {
			r.StatusCode = status
			r.Header.Set("Location", thief.URL+"/v1/"+path)
		})
		if _, err := c.Key(ctx, "sig"); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("read, %d: %v", status, err)
		}
		if _, err := c.Encrypt(ctx, "enc", 0, []byte("x"), nil); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("write, %d: %v", status, err)
		}
		if err := c.KVDelete(ctx, "app/a"); !errors.Is(err, vault.ErrAnswer) {
			t.Errorf("delete, %d: %v", status, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the thief was asked %d times", n)
	}
}

// Nothing is asked twice: a write without an answer may have been carried out.
func TestNoRetry(t *testing.T) {
	w, ctx := newWorld(t, vaulttest.Dev(t)), t.Context()
	var asked atomic.Int64
	l := newLiar(t, w)
	w.write("root-token", w.RootToken)
	cfg := w.config(vault.TokenFile{Path: w.file("root-token")})
	cfg.Address, cfg.Timeout = l.URL, 5*time.Second
	c := w.open(cfg)
	for _, status := range []int{412, 429, 500, 502, 503, 504} {
		asked.Store(0)
		l.says(func(_ string, r *http.Response, _ []byte) {
			asked.Add(1)
			r.StatusCode = status
			put(r, []byte("{}"))
		})
		_, err := c.KVPut(ctx, "app/once", 0, nil)
		if err == nil || asked.Load() != 1 {
			t.Errorf("%d: asked %d times, %v", status, asked.Load(), err)
		}
	}
}
