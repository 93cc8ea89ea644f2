package messaging

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

// Notice is a message whose bytes were read and found well formed. Whether its
// signature holds is a separate question: see [Notice.Verify].
type Notice struct {
	DSSE    *statement.DSSE
	Payload *Payload
	Core    *Core    // Payload.Core
	Digest  [32]byte // SHA-256 of the canonical JSON of DSSE, "env" elsewhere
}

// Parse reads a message strictly and checks every limit and every member that
// can be checked without a directory or a rule pack. An error means that the
// bytes are malformed. It verifies no signature; it does demand exactly one,
// whose key id is core.from.key.
func Parse(d *statement.DSSE) (*Notice, error) {
	if d == nil {
		return nil, errors.New("messaging: no statement")
	}
	var p Payload
	if err := decode(d, statement.TypeNotice, &p); err != nil {
		return nil, fmt.Errorf("messaging: notice: %w", err)
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("messaging: notice: %w", err)
	}
	if err := signedOnceBy(d, p.Core.From.Key); err != nil {
		return nil, fmt.Errorf("messaging: notice: %w", err)
	}
	envelope, err := d.Encode()
	if err != nil {
		return nil, fmt.Errorf("messaging: notice: %w", err)
	}
	return &Notice{DSSE: d, Payload: &p, Core: &p.Core, Digest: sha256.Sum256(envelope)}, nil
}

// ParseJSON is [Parse] from the canonical JSON of the statement.
func ParseJSON(data []byte) (*Notice, error) {
	d, err := statement.ParseDSSE(data)
	if err != nil {
		return nil, fmt.Errorf("messaging: notice: %w", err)
	}
	return Parse(d)
}

// Verify checks the one signature under the sender's public key, which the
// caller takes from the directory. The error wraps [statement.ErrSignature].
func (n *Notice) Verify(sender ed25519.PublicKey) error {
	return verify(n.DSSE, n.Core.From.Key, sender)
}

// Check refuses a payload with a malformed member.
func (p *Payload) Check() error {
	if p.V != 1 {
		return fmt.Errorf("v: %d is not a version this program knows", p.V)
	}
	if err := p.Body.check("body", MaxBody); err != nil {
		return err
	}
	return p.Core.Check()
}

// decode reads the payload of d strictly into v, within the bound every
// statement keeps.
func decode(d *statement.DSSE, payloadType string, v any) error {
	if d.PayloadType != payloadType {
		return fmt.Errorf("payload type is not %s", payloadType)
	}
	if len(d.Payload) > statement.MaxSize {
		return fmt.Errorf("payload of %d bytes, at most %d", len(d.Payload), statement.MaxSize)
	}
	if len(bytes.TrimSpace(d.Payload)) == 0 {
		return errors.New("payload is empty")
	}
	return statement.Unmarshal(d.Payload, v)
}

// signedOnceBy demands one signature and that it names key.
func signedOnceBy(d *statement.DSSE, key string) error {
	if len(d.Signatures) != 1 {
		return fmt.Errorf("%d signatures, want exactly one", len(d.Signatures))
	}
	if len(d.Signatures[0].Sig) != ed25519.SignatureSize {
		return fmt.Errorf("signature of %d bytes, want %d", len(d.Signatures[0].Sig), ed25519.SignatureSize)
	}
	if d.Signatures[0].KeyID != key {
		return errors.New("signed by another key than it names")
	}
	return nil
}

// verify compares the key with the one named before it checks the signature,
// so that a caller cannot verify under somebody else's key by mistake.
func verify(d *statement.DSSE, keyID string, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize || statement.KeyID(key) != keyID {
		return fmt.Errorf("messaging: the key given is not the one named: %w", statement.ErrSignature)
	}
	return d.Verify(key)
}
