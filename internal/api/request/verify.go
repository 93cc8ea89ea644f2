package request

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/odziv/odziv/internal/statement"
)

// Verified is what a good signature says. Whether (KeyID, Nonce) was used
// before is the caller's to know.
type Verified struct {
	KeyID   string
	Nonce   string
	Created int64    // milliseconds since 1970 UTC, whole seconds
	Digest  [32]byte // SHA-256 of the body, once it was read to io.EOF
}

// Verify checks the signature of a received request, in this order: form of the
// fields and of the request line, authority, window around now (milliseconds
// since 1970 UTC), key, Ed25519. Then it replaces req.Body by a reader that
// ends with io.EOF only if the body is the signed one, else with [ErrDigest]:
// whoever acts on a body must have seen io.EOF first (a json.Decoder alone does
// not read so far). The caller bounds the body.
//
// authority is the configured host, with its port unless 443 or 80. lookup
// returns the key that may sign requests now. Verify changes req only if it
// succeeds.
func Verify(req *http.Request, authority string, now int64, lookup func(keyID string) (ed25519.PublicKey, bool)) (Verified, error) {
	p, err := parse(req.Header)
	if err != nil {
		return Verified{}, fmt.Errorf("request: %w: %w", ErrSignature, err)
	}
	authority = strings.ToLower(authority)
	message, err := profileBase(req, authority, p.fields.digest, p.params)
	if err != nil {
		return Verified{}, fmt.Errorf("request: %w: %w", ErrSignature, err)
	}
	if !sameAuthority(hostOf(req), authority) {
		return Verified{}, fmt.Errorf("request: %w", ErrAuthority)
	}
	if p.Created < now-MaxPast || p.Created > now+MaxFuture {
		return Verified{}, fmt.Errorf("request: %w: %d s from the server's clock", ErrClockSkew, (p.Created-now)/1000)
	}
	key, ok := lookup(p.KeyID)
	if !ok || statement.KeyID(key) != p.KeyID {
		return Verified{}, fmt.Errorf("request: %w: %s", ErrUnknownKey, p.KeyID)
	}
	if !ed25519.Verify(key, message, p.sig) {
		return Verified{}, fmt.Errorf("request: %w: it does not verify under %s", ErrSignature, p.KeyID)
	}
	if err := guardBody(req, p.Digest); err != nil {
		return Verified{}, fmt.Errorf("request: %w", err)
	}
	return p.Verified, nil
}

// parsed is what the three fields say, before anything is believed.
type parsed struct {
	Verified
	fields fields
	params string // of the signature, serialized
	sig    []byte
}

func parse(h http.Header) (p parsed, err error) {
	if p.fields.digest, err = single(h, "Content-Digest"); err != nil {
		return p, err
	}
	if p.fields.input, err = single(h, "Signature-Input"); err != nil {
		return p, err
	}
	if p.fields.signature, err = single(h, "Signature"); err != nil {
		return p, err
	}
	digest, err := parseBytes(p.fields.digest, "sha-256", len(p.Digest))
	if err != nil {
		return p, fmt.Errorf("content-digest: %w", err)
	}
	copy(p.Digest[:], digest)
	if p.sig, err = parseBytes(p.fields.signature, label, ed25519.SignatureSize); err != nil {
		return p, fmt.Errorf("signature: %w", err)
	}
	if err := p.parseInput(); err != nil {
		return p, fmt.Errorf("signature-input: %w", err)
	}
	return p, nil
}

// single returns the value of a field that occurs exactly once.
func single(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", fmt.Errorf("%s occurs %d times, want once", strings.ToLower(name), len(values))
	}
	if len(values[0]) > maxField {
		return "", fmt.Errorf("%s is above %d bytes", strings.ToLower(name), maxField)
	}
	return values[0], nil
}

// parseBytes reads a dictionary whose only member is key, a byte sequence of
// the given size without parameters.
func parseBytes(field, key string, size int) ([]byte, error) {
	m, err := parseMember(field, key)
	if err != nil {
		return nil, err
	}
	item, ok := m.(httpsfv.Item)
	if !ok || len(item.Params.Names()) != 0 {
		return nil, errors.New("not a plain byte sequence")
	}
	value, ok := item.Value.([]byte)
	if !ok || len(value) != size {
		return nil, fmt.Errorf("not a byte sequence of %d bytes", size)
	}
	return value, checkSpelling(field, key, m)
}

func parseMember(field, key string) (httpsfv.Member, error) {
	d, err := httpsfv.UnmarshalDictionary([]string{field})
	if err != nil {
		return nil, err
	}
	m, ok := d.Get(key)
	if !ok || len(d.Names()) != 1 {
		return nil, fmt.Errorf("want the member %s and no other", key)
	}
	return m, nil
}

// checkSpelling admits only the spelling that RFC 9651 §4.1 writes. A parser
// takes the last of repeated members and parameters, and forgives spaces; two
// readers of one field could differ.
func checkSpelling(field, key string, m httpsfv.Member) error {
	if again, err := marshalMember(key, m); err != nil || again != field {
		return errors.New("not in the serialized form of RFC 9651")
	}
	return nil
}

func (p *parsed) parseInput() error {
	m, err := parseMember(p.fields.input, label)
	if err != nil {
		return err
	}
	list, ok := m.(httpsfv.InnerList)
	if !ok {
		return errors.New("no list of components")
	}
	if err := checkComponents(list.Items); err != nil {
		return err
	}
	if err := p.readParams(list.Params); err != nil {
		return err
	}
	p.params = strings.TrimPrefix(p.fields.input, label+"=")
	return checkSpelling(p.fields.input, label, m)
}

func checkComponents(items []httpsfv.Item) error {
	if len(items) != len(components) {
		return fmt.Errorf("%d components, want %d", len(items), len(components))
	}
	for i, item := range items {
		if item.Value != any(components[i]) || len(item.Params.Names()) != 0 {
			return fmt.Errorf("component %d is not %q", i+1, components[i])
		}
	}
	return nil
}

// readParams wants every parameter of the profile and knows no other.
func (p *parsed) readParams(params *httpsfv.Params) error {
	var gotTag string
	for _, name := range params.Names() {
		value, _ := params.Get(name)
		ok := false
		switch name {
		case "created":
			p.Created, ok = value.(int64)
			p.Created *= 1000
		case "keyid":
			p.KeyID, ok = value.(string)
		case "nonce":
			p.Nonce, ok = value.(string)
		case "tag":
			gotTag, ok = value.(string)
		case "alg":
			ok = value == any("ed25519")
		}
		if !ok {
			return fmt.Errorf("parameter %s is unknown or of another type", name)
		}
	}
	switch _, created := params.Get("created"); {
	case !created:
		return errors.New("no created")
	case !statement.IsKeyID(p.KeyID):
		return errors.New("keyid is not that of an Ed25519 key")
	case !validNonce(p.Nonce):
		return fmt.Errorf("nonce must be %d to %d characters of hex or base64", minNonce, maxNonce)
	case gotTag != tag:
		return fmt.Errorf("tag is not %s", tag)
	}
	return nil
}

func validNonce(s string) bool {
	return len(s) >= minNonce && len(s) <= maxNonce && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("+/=-_", r))
	})
}
