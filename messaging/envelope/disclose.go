package envelope

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
)

// FileKey is the 16-byte age file key of one body. The age header MAC commits
// to it: no other key opens the same file. It prints as "redacted", also inside
// other types. The zero FileKey opens nothing.
type FileKey struct{ key hidden[[16]byte] }

// NewFileKey returns the file key of 16 bytes.
func NewFileKey(key []byte) (FileKey, error) {
	if len(key) != 16 {
		return FileKey{}, errors.New("envelope: a file key is 16 bytes")
	}
	return FileKey{hide([16]byte(key))}, nil
}

// Bytes returns the 16 secret bytes, for the document of a disclosure alone.
func (k FileKey) Bytes() []byte {
	if k.key == nil {
		return nil
	}
	key := k.key()
	return key[:]
}

// String, GoString, MarshalText and LogValue keep the key out of every output.
func (k FileKey) String() string               { return "redacted" }
func (k FileKey) GoString() string             { return "redacted" }
func (k FileKey) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (k FileKey) LogValue() slog.Value         { return slog.StringValue("redacted") }

// OpenDisclosed is [Open] for a third party to whom a recipient disclosed the
// file key of the body. It checks all that Open checks, save that no desk's
// epoch key is involved.
func OpenDisclosed(ctx context.Context, d *statement.DSSE, sender ed25519.PublicKey, key FileKey, body io.Reader) (*Opened, error) {
	if key.key == nil {
		return nil, errors.New("envelope: no file key")
	}
	n, err := parseVerified(d, sender)
	if err != nil {
		return nil, err
	}
	o, _, err := openBody(ctx, n, age.NewInjectedFileKeyIdentity(key.Bytes()), body)
	return o, err
}
