package request

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/dunglas/httpsfv"

	"github.com/odziv/odziv/internal/statement"
)

// NewNonce returns 16 random bytes in lower-case hex. A request that is sent
// again is signed again, with a new one.
func NewNonce() string {
	var r [16]byte
	rand.Read(r[:]) // never fails since Go 1.24
	return hex.EncodeToString(r[:])
}

// Sign is [SignDigest] for a body held in memory; body is nil when there is
// none. It does not set req.Body.
func Sign(ctx context.Context, req *http.Request, body []byte, signer statement.Signer, now int64, nonce string) error {
	return SignDigest(ctx, req, sha256.Sum256(body), signer, now, nonce)
}

// SignDigest sets Content-Digest, Signature-Input and Signature on req, in
// place of any there. digest is the SHA-256 of the whole body to be sent; now
// is in milliseconds since 1970 UTC, in the server's time. Method, URL and Host
// must be final. The signer's answer is verified before it is used, since it
// may come from a remote Vault.
func SignDigest(ctx context.Context, req *http.Request, digest [32]byte, signer statement.Signer, now int64, nonce string) error {
	if !validNonce(nonce) {
		return fmt.Errorf("request: sign: nonce must be %d to %d characters of hex or base64", minNonce, maxNonce)
	}
	fields, params, err := newFields(digest, signer.Public(), now, nonce)
	if err != nil {
		return fmt.Errorf("request: sign: %w", err)
	}
	authority := normalAuthority(hostOf(req), req.URL.Scheme)
	message, err := profileBase(req, authority, fields.digest, params)
	if err != nil {
		return fmt.Errorf("request: sign: %w", err)
	}
	sig, err := signer.Sign(ctx, message)
	if err != nil {
		return fmt.Errorf("request: sign: %w", err)
	}
	if !ed25519.Verify(signer.Public(), message, sig) {
		return errors.New("request: sign: signer returned a signature that does not verify")
	}
	if fields.signature, err = marshalMember(label, httpsfv.NewItem(sig)); err != nil {
		return fmt.Errorf("request: sign: %w", err)
	}
	fields.set(req)
	return nil
}

// fields are the values of the three header fields of the profile.
type fields struct{ digest, input, signature string }

func (f fields) set(req *http.Request) {
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("Content-Digest", f.digest)
	req.Header.Set("Signature-Input", f.input)
	req.Header.Set("Signature", f.signature)
}

// newFields returns all that is known before signing, and the serialized
// signature parameters.
func newFields(digest [32]byte, pub ed25519.PublicKey, now int64, nonce string) (f fields, params string, err error) {
	list := httpsfv.InnerList{Params: httpsfv.NewParams()}
	for _, name := range components {
		list.Items = append(list.Items, httpsfv.NewItem(name))
	}
	list.Params.Add("created", now/1000)
	list.Params.Add("keyid", statement.KeyID(pub))
	list.Params.Add("nonce", nonce)
	list.Params.Add("tag", tag)
	if f.input, err = marshalMember(label, list); err != nil {
		return f, "", err
	}
	f.digest, err = marshalMember("sha-256", httpsfv.NewItem(digest[:]))
	return f, f.input[len(label+"="):], err
}

// marshalMember serializes a dictionary of one member (RFC 9651 §4.1.2).
func marshalMember(key string, m httpsfv.Member) (string, error) {
	d := httpsfv.NewDictionary()
	d.Add(key, m)
	return httpsfv.Marshal(d)
}

// hostOf is the host a client sends, or a server received.
func hostOf(req *http.Request) string {
	if req.Host != "" {
		return req.Host
	}
	return req.URL.Host
}
