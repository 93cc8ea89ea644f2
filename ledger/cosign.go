package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// algCosignature marks a key of a witness in signed-note (C2SP
// tlog-cosignature, Ed25519).
const algCosignature = 4

// cosignatureSize is a time and a signature.
const cosignatureSize = 8 + ed25519.SignatureSize

// A Cosigner verifies the cosignatures of one witness: 8 bytes of time, then
// Ed25519 over that time and the checkpoint. It is a [note.Verifier].
type Cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// CosignerKey spells a witness's public key:
// "<name>+<key id, 8 hex digits>+<base64 of 0x04 and the 32 bytes>".
func CosignerKey(name string, pub ed25519.PublicKey) (string, error) {
	if err := checkOrigin(name); err != nil {
		return "", err
	}
	raw := append([]byte{algCosignature}, pub...)
	return fmt.Sprintf("%s+%08x+%s", name, cosignerID(name, raw), base64.StdEncoding.EncodeToString(raw)), nil
}

// cosignerID is the key id of signed-note over algorithm and key.
func cosignerID(name string, raw []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return binary.BigEndian.Uint32(sum[:])
}

// ParseCosignerKey is the inverse of [CosignerKey] and accepts no other
// spelling and no other algorithm.
func ParseCosignerKey(vkey string) (*Cosigner, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, b64, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return nil, fmt.Errorf("ledger: %.60q is no key of a witness", vkey)
	}
	again, err := CosignerKey(name, raw[1:])
	if err != nil || again != vkey {
		return nil, fmt.Errorf("ledger: %.60q is no key of a witness", vkey)
	}
	return &Cosigner{name: name, hash: cosignerID(name, raw), key: raw[1:]}, nil
}

// Name implements note.Verifier.
func (c *Cosigner) Name() string { return c.name }

// KeyHash implements note.Verifier.
func (c *Cosigner) KeyHash() uint32 { return c.hash }

// Key is the witness's public key.
func (c *Cosigner) Key() ed25519.PublicKey { return c.key }

// Verify implements note.Verifier: sig is the time and the signature, text the
// text of the checkpoint.
func (c *Cosigner) Verify(text, sig []byte) bool {
	if len(sig) != cosignatureSize {
		return false
	}
	return ed25519.Verify(c.key, cosigned(text, binary.BigEndian.Uint64(sig)), sig[8:])
}

func cosigned(text []byte, seconds uint64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text)
}

// A CosigningKey signs as a witness. It prints as "redacted", and the key sits
// behind a function.
type CosigningKey struct {
	sign     func(text []byte) []byte
	vkey     string
	verifier *Cosigner
}

// NewCosigningKey returns the key of the witness called name, from a 32-byte
// Ed25519 seed.
func NewCosigningKey(name string, seed []byte) (*CosigningKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("ledger: seed of %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	priv := ed25519.NewKeyFromSeed(seed)
	vkey, err := CosignerKey(name, priv.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	verifier, err := ParseCosignerKey(vkey)
	if err != nil {
		return nil, err
	}
	return &CosigningKey{sign: func(text []byte) []byte { return ed25519.Sign(priv, text) }, vkey: vkey, verifier: verifier}, nil
}

// Verifier checks what the key signs.
func (k *CosigningKey) Verifier() *Cosigner { return k.verifier }

// VerifierKey is the public half as text; see [CosignerKey].
func (k *CosigningKey) VerifierKey() string { return k.vkey }

// Cosign signs a checkpoint at a time in ms since 1970 UTC, of which whole
// seconds count. It returns the signature line of the note, with its end. What
// the checkpoint must satisfy is the caller's business.
func (k *CosigningKey) Cosign(c Checkpoint, at int64) []byte {
	seconds := uint64(max(at, 0) / 1000)
	sig := binary.BigEndian.AppendUint32(nil, k.verifier.hash)
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, k.sign(cosigned([]byte(c.Text()), seconds))...)
	return fmt.Appendf(nil, "\u2014 %s %s\n", k.verifier.name, base64.StdEncoding.EncodeToString(sig))
}

// String, GoString, MarshalText and LogValue keep the key out of every output.
func (k *CosigningKey) String() string               { return "redacted" }
func (k *CosigningKey) GoString() string             { return "redacted" }
func (k *CosigningKey) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (k *CosigningKey) LogValue() slog.Value         { return slog.StringValue("redacted") }

// CosignedAt returns the time in ms since 1970 UTC that a witness put into its
// cosignature under a note, and whether there is one that verifies.
func CosignedAt(msg []byte, v note.Verifier) (at int64, ok bool) {
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil || checkSpelling(n) != nil {
		return 0, false
	}
	raw, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || len(raw) != 4+cosignatureSize {
		return 0, false
	}
	seconds := binary.BigEndian.Uint64(raw[4:])
	if seconds > MaxSize/1000 {
		return 0, false
	}
	return int64(seconds) * 1000, true
}
