package request

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/odziv/odziv/internal/statement"
)

const (
	testNow   = int64(1772442000123)
	testHost  = "exchange.example"
	testPath  = "/v1/messages/m_oofw6vd6cx6m2svg5rffxs55au"
	testNonce = "000102030405060708090a0b0c0d0e0f"
)

var testBody = []byte(`{"v":1}`)

func testKey(b byte) statement.SigningKey {
	return statement.NewSigningKey(bytes.Repeat([]byte{b}, 32))
}

// received signs a PUT of testBody and returns it as a server would see it.
func received(t testing.TB, target string) *http.Request {
	t.Helper()
	out, err := http.NewRequest(http.MethodPut, "https://"+testHost+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Sign(context.Background(), out, testBody, testKey(1), testNow, testNonce); err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequest(http.MethodPut, target, bytes.NewReader(testBody))
	in.Host = testHost
	in.Header = out.Header
	return in
}

func verify(req *http.Request) error {
	_, err := Verify(req, testHost, testNow, only(testKey(1)))
	return err
}

func TestVerify(t *testing.T) {
	for _, target := range []string{"/", testPath, testPath + "?", testPath + "?a=1&b=%2F%C4%8D", "/v1/keys/ed25519:00", "/tile/0/x001/067.p/5", "/dir/"} {
		req := received(t, target)
		seen, err := Verify(req, testHost, testNow, only(testKey(1)))
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		want := Verified{statement.KeyID(testKey(1).Public()), testNonce, 1772442000000, seen.Digest}
		if seen != want {
			t.Errorf("%s: %+v, want %+v", target, seen, want)
		}
		if got, err := io.ReadAll(req.Body); err != nil || !bytes.Equal(got, testBody) {
			t.Errorf("%s: body %q, %v", target, got, err)
		}
	}
}

// An empty query and none are the same @query, "?", by RFC 9421 §2.2.7.
func TestEmptyQueryIsNone(t *testing.T) {
	req := received(t, testPath)
	req.RequestURI += "?"
	req.URL.ForceQuery = true
	if err := verify(req); err != nil {
		t.Error(err)
	}
}

// setInput rewrites Signature-Input and leaves the signature as it was.
func setInput(old, new string) func(*http.Request) {
	return func(r *http.Request) {
		was := r.Header.Get("Signature-Input")
		now := strings.Replace(was, old, new, 1)
		if was == now {
			panic("nothing to replace: " + old)
		}
		r.Header.Set("Signature-Input", now)
	}
}

func setTarget(target string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			panic(err)
		}
		r.URL, r.RequestURI = u, target
	}
}

func addHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func setHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func appendHeader(name, more string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, r.Header.Get(name)+more) }
}

func TestTampering(t *testing.T) {
	other := received(t, "/v1/other")
	digest512 := ", sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
	tests := []struct {
		name   string
		tamper func(*http.Request)
		want   error
	}{
		{"method", func(r *http.Request) { r.Method = "POST" }, ErrSignature},
		{"method in lower case", func(r *http.Request) { r.Method = "put" }, ErrSignature},
		{"path", setTarget("/v1/messages/m_oofw6vd6cx6m2svg5rffxs55av"), ErrSignature},
		{"path, escaped slash", setTarget("/v1/messages%2Fm_oofw6vd6cx6m2svg5rffxs55au"), ErrSignature},
		{"path, escaped letter", setTarget("/v1/%6Dessages/m_oofw6vd6cx6m2svg5rffxs55au"), ErrSignature},
		{"path, trailing slash", setTarget(testPath + "/"), ErrSignature},
		{"path, double slash", setTarget("//v1/messages/m_oofw6vd6cx6m2svg5rffxs55au"), ErrSignature},
		{"path, dot segment", setTarget("/v1/./messages/m_oofw6vd6cx6m2svg5rffxs55au"), ErrSignature},
		{"query added", setTarget(testPath + "?off=1"), ErrSignature},
		{"absolute form", func(r *http.Request) { r.RequestURI = "https://" + testHost + r.RequestURI }, ErrSignature},
		{"URL rewritten behind the request line", func(r *http.Request) { r.URL.Path = "/v1/other" }, ErrSignature},
		{"raw path behind the request line", func(r *http.Request) { r.URL.RawPath = "/v1%2Fmessages/m_oofw6vd6cx6m2svg5rffxs55au" }, ErrSignature},
		{"query behind the request line", func(r *http.Request) { r.URL.RawQuery = "off=1" }, ErrSignature},
		{"opaque URL", func(r *http.Request) { r.URL.Opaque = "/v1/other" }, ErrSignature},
		{"host", func(r *http.Request) { r.Host = "other.example" }, ErrAuthority},
		{"host, other port", func(r *http.Request) { r.Host = testHost + ":8443" }, ErrAuthority},
		{"host, trailing dot", func(r *http.Request) { r.Host = testHost + "." }, ErrAuthority},
		{"no host", func(r *http.Request) { r.Host = "" }, ErrAuthority},
		{"host, default port", func(r *http.Request) { r.Host = testHost + ":443" }, nil},
		{"host, upper case", func(r *http.Request) { r.Host = strings.ToUpper(testHost) }, nil},

		{"digest of another body", setHeader("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"), ErrSignature},
		{"digest short", setHeader("Content-Digest", "sha-256=:AAAA:"), ErrSignature},
		{"digest missing", func(r *http.Request) { r.Header.Del("Content-Digest") }, ErrSignature},
		{"digest twice", func(r *http.Request) { r.Header.Add("Content-Digest", r.Header.Get("Content-Digest")) }, ErrSignature},
		{"digest of two algorithms", appendHeader("Content-Digest", digest512), ErrSignature},
		{"digest of another algorithm", setHeader("Content-Digest", digest512[2:]), ErrSignature},
		{"digest member twice", func(r *http.Request) {
			v := r.Header.Get("Content-Digest")
			r.Header.Set("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:, "+v)
		}, ErrSignature},
		{"digest with a parameter", appendHeader("Content-Digest", ";a"), ErrSignature},
		{"digest as a string", setHeader("Content-Digest", `sha-256="AAAA"`), ErrSignature},
		{"digest as a list", setHeader("Content-Digest", `sha-256=(:AAAA:)`), ErrSignature},

		{"signature missing", func(r *http.Request) { r.Header.Del("Signature") }, ErrSignature},
		{"signature of another request", setHeader("Signature", other.Header.Get("Signature")), ErrSignature},
		{"second signature", appendHeader("Signature", ", sig2=:AAAA:"), ErrSignature},
		{"second signature field", addHeader("Signature", "sig2=:AAAA:"), ErrSignature},
		{"signature under another label", func(r *http.Request) {
			r.Header.Set("Signature", "sig2"+r.Header.Get("Signature")[4:])
		}, ErrSignature},
		{"signature cut", func(r *http.Request) {
			v := r.Header.Get("Signature")
			r.Header.Set("Signature", v[:len(v)-5]+":")
		}, ErrSignature},
		{"signature without its colon", func(r *http.Request) {
			r.Header.Set("Signature", strings.TrimSuffix(r.Header.Get("Signature"), ":"))
		}, ErrSignature},
		{"signature base64 with trailing bits", func(r *http.Request) {
			v := r.Header.Get("Signature") // ends "?A==:", whose last letter carries four unused bits
			i := len(v) - 4
			r.Header.Set("Signature", v[:i]+string(v[i]+1)+v[i+1:])
		}, ErrSignature},

		{"input missing", func(r *http.Request) { r.Header.Del("Signature-Input") }, ErrSignature},
		{"input twice", func(r *http.Request) { r.Header.Add("Signature-Input", r.Header.Get("Signature-Input")) }, ErrSignature},
		{"second label", appendHeader("Signature-Input", `, sig2=("@method");created=1`), ErrSignature},
		{"other label", setInput("sig1=", "sig2="), ErrSignature},
		{"label repeated", func(r *http.Request) {
			r.Header.Set("Signature-Input", `sig1=("@method"), `+r.Header.Get("Signature-Input"))
		}, ErrSignature},
		{"component dropped", setInput(` "@query"`, ""), ErrSignature},
		{"component added", setInput(`"content-digest")`, `"content-digest" "date")`), ErrSignature},
		{"component repeated", setInput(`"@query"`, `"@path"`), ErrSignature},
		{"components in another order", setInput(`"@method" "@authority"`, `"@authority" "@method"`), ErrSignature},
		{"component with a parameter", setInput(`"content-digest"`, `"content-digest";sf`), ErrSignature},
		{"component as a token", setInput(`"content-digest"`, `content-digest`), ErrSignature},
		{"input is no list", setHeader("Signature-Input", `sig1="@method"`), ErrSignature},
		{"space more", setInput(`"@path" `, `"@path"  `), ErrSignature},
		{"space before a parameter", setInput(`;created`, `; created`), ErrSignature},
		{"created missing", setInput(`;created=1772442000`, ``), ErrSignature},
		{"created changed", setInput(`created=1772442000`, `created=1772442001`), ErrSignature},
		{"created as a string", setInput(`created=1772442000`, `created="1772442000"`), ErrSignature},
		{"created as a decimal", setInput(`created=1772442000`, `created=1772442000.0`), ErrSignature},
		{"created as a date", setInput(`created=1772442000`, `created=@1772442000`), ErrSignature},
		{"created repeated", setInput(`;created=1772442000`, `;created=1;created=1772442000`), ErrSignature},
		{"created with a leading zero", setInput(`created=`, `created=0`), ErrSignature},
		{"keyid missing", setInput(";keyid=\""+statement.KeyID(testKey(1).Public())+"\"", ""), ErrSignature},
		{"keyid of another form", setInput(`keyid="ed25519:`, `keyid="rsa:`), ErrSignature},
		{"keyid as a token", setInput(`keyid="ed25519:`, `keyid=ed25519;x="`), ErrSignature},
		{"nonce missing", setInput(`;nonce="`+testNonce+`"`, ``), ErrSignature},
		{"nonce changed", setInput(testNonce, "10"+testNonce[2:]), ErrSignature},
		{"nonce short", setInput(testNonce, testNonce[:21]), ErrSignature},
		{"nonce long", setInput(testNonce, strings.Repeat("0", 65)), ErrSignature},
		{"nonce of other characters", setInput(testNonce[:2], "0 "), ErrSignature},
		{"nonce as bytes", setInput(`"`+testNonce+`"`, ":AAECAwQFBgcICQoLDA0ODw==:"), ErrSignature},
		{"tag missing", setInput(`;tag="odziv-req-v1"`, ``), ErrSignature},
		{"tag of another version", setInput(`odziv-req-v1`, `odziv-req-v2`), ErrSignature},
		{"alg added", appendHeader("Signature-Input", `;alg="ed25519"`), ErrSignature},
		{"alg of another kind", appendHeader("Signature-Input", `;alg="hmac-sha256"`), ErrSignature},
		{"expires added", appendHeader("Signature-Input", `;expires=1772442060`), ErrSignature},
		{"unknown parameter", appendHeader("Signature-Input", `;x`), ErrSignature},
		{"input above its bound", appendHeader("Signature-Input", ";x="+strings.Repeat("1", 1024)), ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := received(t, testPath)
			tt.tamper(req)
			if err := verify(req); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// TestCraftedInput signs honestly what the profile allows or forbids, so that
// the signature itself never decides.
func TestCraftedInput(t *testing.T) {
	keyid := statement.KeyID(testKey(1).Public())
	list := `("@method" "@authority" "@path" "@query" "content-digest")`
	created, key, nonce, tag := `;created=1772442000`, `;keyid="`+keyid+`"`, `;nonce="`+testNonce+`"`, `;tag="odziv-req-v1"`
	tests := []struct {
		name, params string
		want         error
	}{
		{"as Sign writes it", list + created + key + nonce + tag, nil},
		{"other order", list + tag + nonce + key + created, nil},
		{"with alg", list + created + key + nonce + tag + `;alg="ed25519"`, nil},
		{"alg first", list + `;alg="ed25519"` + created + key + nonce + tag, nil},
		{"nonce shortest", list + created + key + `;nonce="` + strings.Repeat("A", 22) + `"` + tag, nil},
		{"nonce longest", list + created + key + `;nonce="` + strings.Repeat("z", 64) + `"` + tag, nil},
		{"nonce too short", list + created + key + `;nonce="` + strings.Repeat("A", 21) + `"` + tag, ErrSignature},
		{"nonce too long", list + created + key + `;nonce="` + strings.Repeat("z", 65) + `"` + tag, ErrSignature},
		{"alg as a token", list + created + key + nonce + tag + `;alg=ed25519`, ErrSignature},
		{"alg of another kind", list + created + key + nonce + tag + `;alg="rsa-v1_5-sha256"`, ErrSignature},
		{"expires", list + created + key + nonce + tag + `;expires=1772442060`, ErrSignature},
		{"no tag", list + created + key + nonce, ErrSignature},
		{"no created", list + key + nonce + tag, ErrSignature},
		{"no nonce", list + created + key + tag, ErrSignature},
		{"no keyid", list + created + nonce + tag, ErrSignature},
		{"created twice", list + `;created=1` + created + key + nonce + tag, ErrSignature},
		{"space", list + `; created=1772442000` + key + nonce + tag, ErrSignature},
		{"escape that need not be", list + created + key + nonce + `;tag="odziv-req-\v1"`, ErrSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := received(t, testPath)
			message, err := profileBase(req, testHost, req.Header.Get("Content-Digest"), tt.params)
			if err != nil {
				t.Fatal(err)
			}
			sig, _ := testKey(1).Sign(context.Background(), message)
			value, err := marshalMember(label, httpsfv.NewItem(sig))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Signature-Input", label+"="+tt.params)
			req.Header.Set("Signature", value)
			if err := verify(req); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	const created = int64(1772442000000)
	for _, tt := range []struct {
		now  int64
		want error
	}{
		{created, nil},
		{created + 120_000, nil},
		{created + 120_001, ErrClockSkew},
		{created - 30_000, nil},
		{created - 30_001, ErrClockSkew},
		{0, ErrClockSkew},
	} {
		_, err := Verify(received(t, testPath), testHost, tt.now, only(testKey(1)))
		if !errors.Is(err, tt.want) {
			t.Errorf("now = created%+d: %v, want %v", tt.now-created, err, tt.want)
		}
	}
}

// TestOrder breaks everything from one check on; the first one answers.
func TestOrder(t *testing.T) {
	nobody := func(string) (ed25519.PublicKey, bool) { return nil, false }
	breaks := []struct {
		want  error
		apply func(r *http.Request, now *int64, lookup *func(string) (ed25519.PublicKey, bool))
	}{
		{ErrSignature, func(r *http.Request, _ *int64, _ *func(string) (ed25519.PublicKey, bool)) {
			r.Header.Add("Signature", "x")
		}},
		{ErrAuthority, func(r *http.Request, _ *int64, _ *func(string) (ed25519.PublicKey, bool)) { r.Host = "other.example" }},
		{ErrClockSkew, func(_ *http.Request, now *int64, _ *func(string) (ed25519.PublicKey, bool)) { *now += 1e6 }},
		{ErrUnknownKey, func(_ *http.Request, _ *int64, l *func(string) (ed25519.PublicKey, bool)) { *l = nobody }},
		{ErrSignature, func(r *http.Request, _ *int64, _ *func(string) (ed25519.PublicKey, bool)) { r.Method = "POST" }},
		{ErrDigest, func(r *http.Request, _ *int64, _ *func(string) (ed25519.PublicKey, bool)) { r.Body = http.NoBody }},
	}
	for i, first := range breaks {
		req, now, lookup := received(t, testPath), testNow, only(testKey(1))
		for _, b := range breaks[i:] {
			b.apply(req, &now, &lookup)
		}
		if _, err := Verify(req, testHost, now, lookup); !errors.Is(err, first.want) {
			t.Errorf("from check %d on: %v, want %v", i+1, err, first.want)
		}
	}
}

func TestLookupOfAnotherKey(t *testing.T) {
	_, err := Verify(received(t, testPath), testHost, testNow, func(string) (ed25519.PublicKey, bool) {
		return testKey(2).Public(), true
	})
	if !errors.Is(err, ErrUnknownKey) {
		t.Errorf("%v, want %v", err, ErrUnknownKey)
	}
}

func TestAuthority(t *testing.T) {
	for _, tt := range []struct {
		host, configured string
		want             bool
	}{
		{"a.example", "a.example", true},
		{"A.Example:443", "a.example", true},
		{"a.example:80", "a.example", true},
		{"a.example:8443", "a.example:8443", true},
		{"[::1]:8080", "[::1]:8080", true},
		{"a.example", "a.example:8443", false},
		{"a.example:8443", "a.example", false},
		{"a.example:4430", "a.example", false},
		{"b.a.example", "a.example", false},
		{"", "", false},
		{":443", "", false},
	} {
		if got := sameAuthority(tt.host, tt.configured); got != tt.want {
			t.Errorf("%q for %q: %v", tt.host, tt.configured, got)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, url, nonce string
		signer           statement.Signer
	}{
		{"escaped path", "https://a.example/a%2Fb", testNonce, testKey(1)},
		{"dot segment", "https://a.example/a/../b", testNonce, testKey(1)},
		{"space in a path", "https://a.example/a b", testNonce, testKey(1)},
		{"opaque", "https:a.example", testNonce, testKey(1)},
		{"long query", "https://a.example/?" + strings.Repeat("a", maxTarget), testNonce, testKey(1)},
		{"no nonce", "https://a.example/", "", testKey(1)},
		{"nonce with a quote", "https://a.example/", testNonce + `"`, testKey(1)},
		{"failing signer", "https://a.example/", testNonce, badSigner{testKey(1), errors.New("sealed")}},
		{"lying signer", "https://a.example/", testNonce, badSigner{testKey(1), nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, tt.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := Sign(context.Background(), req, nil, tt.signer, testNow, tt.nonce); err == nil {
				t.Error("signed")
			}
			if len(req.Header) != 0 {
				t.Errorf("left %v behind", req.Header)
			}
		})
	}
}

// The longest path and query are signed; TestSignRefuses has one byte more.
func TestLongestTarget(t *testing.T) {
	req, _ := http.NewRequest(http.MethodGet, "https://a.example/?"+strings.Repeat("a", maxTarget-1), nil)
	if err := Sign(context.Background(), req, nil, testKey(1), testNow, testNonce); err != nil {
		t.Error(err)
	}
	req.URL.RawQuery += "a"
	if err := Sign(context.Background(), req, nil, testKey(1), testNow, testNonce); err == nil {
		t.Error("signed one byte more")
	}
}

func TestSignRefusesControlCharacters(t *testing.T) {
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.URL.RawQuery = "a\n\"@method\": PUT" },
		func(r *http.Request) { r.Method = "GET\n\"@path\": /b" },
		func(r *http.Request) { r.Host = "a.example\r\nx" },
		func(r *http.Request) { r.URL.RawQuery = "č" },
	} {
		req, _ := http.NewRequest(http.MethodGet, "https://a.example/", nil)
		change(req)
		if err := Sign(context.Background(), req, nil, testKey(1), testNow, testNonce); err == nil {
			t.Errorf("signed %q %q %q", req.Method, req.Host, req.URL.RawQuery)
		}
	}
}

// badSigner fails, or returns a signature of other bytes.
type badSigner struct {
	statement.SigningKey
	err error
}

func (s badSigner) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.SigningKey.Sign(ctx, append(message, '\n'))
}

func TestSignAgainReplaces(t *testing.T) {
	req := received(t, testPath)
	out := &http.Request{Method: req.Method, URL: &url.URL{Scheme: "https", Host: testHost, Path: testPath}, Header: req.Header}
	if err := Sign(context.Background(), out, testBody, testKey(1), testNow+600_000, NewNonce()); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(req, testHost, testNow+600_000, only(testKey(1))); err != nil {
		t.Error(err)
	}
}

func TestNewNonce(t *testing.T) {
	a, b := NewNonce(), NewNonce()
	if a == b || len(a) != 32 || !validNonce(a) {
		t.Errorf("%q, %q", a, b)
	}
}

func TestNormalAuthority(t *testing.T) {
	for _, tt := range []struct{ host, scheme, want string }{
		{"A.example:443", "https", "a.example"},
		{"a.example:80", "http", "a.example"},
		{"a.example:80", "https", "a.example:80"},
		{"a.example:443", "http", "a.example:443"},
		{"[::1]:443", "https", "[::1]"},
		{"a.example:443", "", "a.example:443"},
	} {
		if got := normalAuthority(tt.host, tt.scheme); got != tt.want {
			t.Errorf("%s over %q: %s, want %s", tt.host, tt.scheme, got, tt.want)
		}
	}
}
