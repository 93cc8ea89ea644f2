package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/odziv/odziv/internal/statement"
)

// The bytes that are signed are those that the authors of DSSE sign.
func TestPAE(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	payload := make([]byte, 3000)
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	for n := range len(payload) {
		kind := strings.Repeat("ж", r.IntN(40)) + strings.Repeat("a", r.IntN(40))
		if want := dsse.PAE(kind, payload[:n]); !bytes.Equal(statement.PAE(kind, payload[:n]), want) {
			t.Fatalf("type %q, %d bytes of payload: another encoding", kind, n)
		}
	}
}

// key is an Ed25519 key as the authors' library wants one.
type key struct{ ed25519.PublicKey }

func (k key) KeyID() (string, error)   { return statement.KeyID(k.PublicKey), nil }
func (k key) Public() crypto.PublicKey { return k.PublicKey }
func (k key) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(k.PublicKey, data, sig) {
		return statement.ErrSignature
	}
	return nil
}

// A statement with two signatures is accepted by the authors' verifier at a
// threshold of two, and refused when a byte of it changed.
func TestEnvelopeVerifier(t *testing.T) {
	a := statement.NewSigningKey(bytes.Repeat([]byte{1}, 32))
	b := statement.NewSigningKey(bytes.Repeat([]byte{2}, 32))
	d, err := statement.Sign(context.Background(), statement.TypeDirectory, []byte(`{"v":1}`), a, b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := dsse.NewMultiEnvelopeVerifier(2, key{a.Public()}, key{b.Public()})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text []byte) error {
		var env dsse.Envelope
		if err := json.Unmarshal(text, &env); err != nil {
			t.Fatal(err)
		}
		_, err := verifier.Verify(context.Background(), &env)
		return err
	}
	if err := verify(text); err != nil {
		t.Error(err)
	}
	other := base64.StdEncoding.EncodeToString([]byte(`{"v":2}`))
	changed := bytes.Replace(text, []byte(base64.StdEncoding.EncodeToString(d.Payload)), []byte(other), 1)
	if bytes.Equal(changed, text) || verify(changed) == nil {
		t.Error("a changed payload is accepted")
	}
}
