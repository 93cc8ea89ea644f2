package witness

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// A Key cosigns in the name of a witness with a key that stays where it is: a
// keystore or a Vault. (For a seed in memory there is ledger.CosigningKey.)
type Key struct {
	signer   statement.Signer
	cosigner *ledger.Cosigner
	vkey     string
}

// NewKey returns the key of the witness called name.
func NewKey(name string, signer statement.Signer) (*Key, error) {
	vkey, err := ledger.CosignerKey(name, signer.Public())
	if err != nil {
		return nil, err
	}
	cosigner, err := ledger.ParseCosignerKey(vkey)
	if err != nil {
		return nil, err
	}
	return &Key{signer: signer, cosigner: cosigner, vkey: vkey}, nil
}

// VerifierKey is the public half as policies name it.
func (k *Key) VerifierKey() string { return k.vkey }

// Verifier checks what the key signs.
func (k *Key) Verifier() *ledger.Cosigner { return k.cosigner }

// Cosign returns the signature line over a checkpoint at a time in ms since
// 1970 UTC, of which whole seconds count (C2SP tlog-cosignature). It is verified
// before it is used.
func (k *Key) Cosign(ctx context.Context, c ledger.Checkpoint, at int64) ([]byte, error) {
	seconds := uint64(max(at, 0) / 1000)
	sig, err := k.signer.Sign(ctx, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, c.Text()))
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	sig = append(binary.BigEndian.AppendUint64(nil, seconds), sig...)
	if !k.cosigner.Verify([]byte(c.Text()), sig) {
		return nil, errors.New("witness: the key signs for another public key")
	}
	sig = append(binary.BigEndian.AppendUint32(nil, k.cosigner.KeyHash()), sig...)
	return fmt.Appendf(nil, "\u2014 %s %s\n", k.cosigner.Name(), base64.StdEncoding.EncodeToString(sig)), nil
}
