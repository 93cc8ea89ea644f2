package statement

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// MaxSignatures bounds the signatures of one statement: council keys are at
// most nine (both councils sign a change), so eighteen and two to spare.
const MaxSignatures = 20

// DSSE is a signed statement: the exact payload bytes, their type, and who
// signed them. The order of Signatures carries no meaning.
type DSSE struct {
	Payload     []byte      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []Signature `json:"signatures"`
}

// Signature is one Ed25519 signature over [PAE]. KeyID is a hint only: the
// verifier supplies the key.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// A Signer holds one Ed25519 private key, in a file or in a Vault.
// Implementations are safe for concurrent use.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(ctx context.Context, message []byte) ([]byte, error)
}

// ErrSignature says that a signature does not verify under the key given.
var ErrSignature = errors.New("signature does not verify")

// KeyID names an Ed25519 public key: "ed25519:" and the hex SHA-256 of its 32
// bytes.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return "ed25519:" + hex.EncodeToString(sum[:])
}

// PAE is DSSE's pre-authentication encoding, the bytes that are signed.
func PAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payloadType)+len(payload)+32)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(b, ' ')
	b = append(b, payloadType...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	b = append(b, ' ')
	return append(b, payload...)
}

// Sign returns payload signed by every signer, in their order.
func Sign(ctx context.Context, payloadType string, payload []byte, signers ...Signer) (*DSSE, error) {
	d := &DSSE{Payload: payload, PayloadType: payloadType, Signatures: []Signature{}}
	for _, s := range signers {
		if err := d.AddSignature(ctx, s); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// AddSignature lets one more signer sign the exact payload. A second signature
// of the same key is refused.
func (d *DSSE) AddSignature(ctx context.Context, s Signer) error {
	id := KeyID(s.Public())
	for _, have := range d.Signatures {
		if have.KeyID == id {
			return fmt.Errorf("statement: %s signed already", id)
		}
	}
	sig, err := s.Sign(ctx, PAE(d.PayloadType, d.Payload))
	if err != nil {
		return fmt.Errorf("statement: sign: %w", err)
	}
	d.Signatures = append(d.Signatures, Signature{KeyID: id, Sig: sig})
	return nil
}

// Verify checks that exactly the distinct keys given signed d, each once and
// nobody else: signatures are themselves unsigned, so a surplus one is refused.
// Without a key nothing verifies, not even a statement without signatures.
func (d *DSSE) Verify(keys ...ed25519.PublicKey) error {
	if len(keys) == 0 || len(d.Signatures) != len(keys) {
		return fmt.Errorf("statement: %d signatures, want %d: %w", len(d.Signatures), len(keys), ErrSignature)
	}
	byID := make(map[string]ed25519.PublicKey, len(keys))
	for _, k := range keys {
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("statement: a key of %d bytes: %w", len(k), ErrSignature)
		}
		byID[KeyID(k)] = k
	}
	if len(byID) != len(keys) {
		return errors.New("statement: the same key given twice")
	}
	pae := PAE(d.PayloadType, d.Payload)
	for _, s := range d.Signatures {
		key, ok := byID[s.KeyID]
		if !ok {
			return fmt.Errorf("statement: %s: %w", s.KeyID, ErrSignature)
		}
		delete(byID, s.KeyID)
		if !ed25519.Verify(key, pae, s.Sig) {
			return fmt.Errorf("statement: %s: %w", s.KeyID, ErrSignature)
		}
	}
	return nil
}

// ParseDSSE decodes the canonical JSON of a statement, bounded in size and
// number of signatures. It verifies nothing.
func ParseDSSE(data []byte) (*DSSE, error) {
	if len(data) > 2*MaxSize {
		return nil, fmt.Errorf("statement: %d bytes, at most %d", len(data), 2*MaxSize)
	}
	var d DSSE
	if err := Unmarshal(data, &d); err != nil {
		return nil, err
	}
	if len(d.Payload) > MaxSize {
		return nil, fmt.Errorf("statement: payload of %d bytes, at most %d", len(d.Payload), MaxSize)
	}
	if len(d.Signatures) > MaxSignatures {
		return nil, fmt.Errorf("statement: %d signatures, at most %d", len(d.Signatures), MaxSignatures)
	}
	return &d, nil
}

// Encode returns the canonical JSON of d.
func (d *DSSE) Encode() ([]byte, error) { return Marshal(d) }

// Digest is the SHA-256 of the payload, which names a statement while it waits
// for more signatures.
func (d *DSSE) Digest() [32]byte { return sha256.Sum256(d.Payload) }
