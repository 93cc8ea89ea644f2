package interop

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/yaronf/httpsign"

	"github.com/odziv/odziv/internal/api/request"
	"github.com/odziv/odziv/internal/statement"
)

const authority = "exchange.example"

// components are those of the profile, in its order.
var components = httpsign.Headers("@method", "@authority", "@path", "@query", "content-digest")

var officer = statement.NewSigningKey(bytes.Repeat([]byte{9}, 32))

func newRequest(method, target string, body []byte) *http.Request {
	req := httptest.NewRequest(method, target, bytes.NewReader(body))
	req.Host = authority
	return req
}

// changes break a signed request in one way.
var changes = map[string]func(*http.Request){
	"method": func(r *http.Request) { r.Method = http.MethodPost },
	"path":   func(r *http.Request) { r.URL.Path += "x"; r.RequestURI = r.URL.RequestURI() },
	"query":  func(r *http.Request) { r.URL.RawQuery += "&b=2"; r.RequestURI = r.URL.RequestURI() },
	"digest": func(r *http.Request) {
		r.Header.Set("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
	},
	"authority": func(r *http.Request) { r.Host = "other.example"; r.URL.Host = r.Host },
}

// What we sign, httpsign verifies; what was changed, it refuses.
func TestHTTPSignVerifiesOurs(t *testing.T) {
	verifier, err := httpsign.NewEd25519Verifier(officer.Public(),
		httpsign.NewVerifyConfig().SetKeyID(statement.KeyID(officer.Public())).SetAllowedTags([]string{"odziv-req-v1"}), components)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"v":1}`)
	signed := func(method, target string) *http.Request {
		req := newRequest(method, target, body)
		if err := request.Sign(context.Background(), req, body, officer, time.Now().UnixMilli(), request.NewNonce()); err != nil {
			t.Fatal(err)
		}
		return req
	}
	for _, target := range []string{"/v1/messages/m_oofw6vd6cx6m2svg5rffxs55au", "/v1/feed?desk=d_a&after=0", "/"} {
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			if err := httpsign.VerifyRequest("sig1", *verifier, signed(method, target)); err != nil {
				t.Errorf("%s %s: %v", method, target, err)
			}
		}
	}
	for name, change := range changes {
		req := signed(http.MethodPut, "/v1/feed?a=1")
		change(req)
		if httpsign.VerifyRequest("sig1", *verifier, req) == nil {
			t.Errorf("another %s: accepted by httpsign", name)
		}
	}
}

// What httpsign signs within the profile, we verify; what was changed, we
// refuse.
func TestWeVerifyHTTPSign(t *testing.T) {
	body := []byte(`{"v":1}`)
	lookup := func(id string) (ed25519.PublicKey, bool) {
		return officer.Public(), id == statement.KeyID(officer.Public())
	}
	for name, change := range changes {
		req := signedByOthers(t, body)
		verified, err := request.Verify(req, authority, time.Now().UnixMilli(), lookup)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(req.Body); err != nil || !bytes.Equal(got, body) {
			t.Errorf("body %q, %v", got, err)
		}
		if verified.KeyID != statement.KeyID(officer.Public()) {
			t.Errorf("key %s", verified.KeyID)
		}
		req = signedByOthers(t, body)
		change(req)
		if _, err := request.Verify(req, authority, time.Now().UnixMilli(), lookup); err == nil {
			t.Errorf("another %s: accepted by us", name)
		}
	}
}

func signedByOthers(t *testing.T, body []byte) *http.Request {
	t.Helper()
	config := httpsign.NewSignConfig().SetKeyID(statement.KeyID(officer.Public())).SetNonce(request.NewNonce()).
		SetTag("odziv-req-v1").SignCreated(true).SignAlg(true)
	signer, err := httpsign.NewEd25519SignerFromSeed(officer.Seed(), config, components)
	if err != nil {
		t.Fatal(err)
	}
	req := newRequest(http.MethodPut, "/v1/feed?a=1", body)
	digest, err := httpsign.GenerateContentDigestHeader(&req.Body, []string{httpsign.DigestSha256})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Digest", digest)
	input, sig, err := httpsign.SignRequest("sig1", *signer, req)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Signature-Input", input)
	req.Header.Set("Signature", sig)
	return req
}
