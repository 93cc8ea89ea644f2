package shred

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

const (
	stanzaType  = "odziv/shred"
	blobLabel   = "odziv/shred/v1"
	fileKeySize = 16 // of age
)

var b64 = base64.RawStdEncoding.Strict()

// Wrap returns a writer that encrypts a blob to dst under the shred key of its
// message. The caller must Close it; a file never closed does not unwrap.
// Memory is constant, the overhead 162 bytes and 16 for each begun 64 KiB.
func Wrap(dst io.Writer, key Key, msg string, part int) (io.WriteCloser, error) {
	b, err := newBlob(key, msg, part)
	if err != nil {
		return nil, fmt.Errorf("shred: wrap: %w", err)
	}
	w, err := age.Encrypt(dst, b)
	if err != nil {
		return nil, fmt.Errorf("shred: wrap: %w", err)
	}
	return w, nil
}

// Unwrap returns a reader of the blob inside src. A cut or altered file gives
// an error other than io.EOF in the course of reading: what came out before is
// good as far as it goes, and incomplete.
func Unwrap(src io.Reader, key Key, msg string, part int) (io.Reader, error) {
	b, err := newBlob(key, msg, part)
	if err != nil {
		return nil, fmt.Errorf("shred: unwrap: %w", err)
	}
	r, err := age.Decrypt(src, b)
	if err != nil {
		return nil, fmt.Errorf("shred: unwrap: %w", ageError(err))
	}
	return r, nil
}

// UnwrapAt is Unwrap for a blob of which a range is asked. size is that of the
// wrapped file, the size returned that of the blob, which is authenticated.
func UnwrapAt(src io.ReaderAt, size int64, key Key, msg string, part int) (io.ReaderAt, int64, error) {
	b, err := newBlob(key, msg, part)
	if err != nil {
		return nil, 0, fmt.Errorf("shred: unwrap: %w", err)
	}
	r, n, err := age.DecryptReaderAt(src, size, b)
	if err != nil {
		return nil, 0, fmt.Errorf("shred: unwrap: %w", ageError(err))
	}
	return r, n, nil
}

// ageError puts one of our errors before age's.
func ageError(err error) error {
	if errors.Is(err, ErrKey) || errors.Is(err, ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// blob is the age.Recipient and age.Identity of one part of one message.
type blob struct {
	key Key
	aad []byte
}

func newBlob(key Key, msg string, part int) (*blob, error) {
	if key.IsZero() {
		return nil, errors.New("no key")
	}
	if err := checkMessage(msg); err != nil {
		return nil, err
	}
	if part < 0 || part > MaxPart {
		return nil, fmt.Errorf("part %d, want 0 to %d", part, MaxPart)
	}
	return &blob{key, binary.BigEndian.AppendUint32(bind(blobLabel, msg), uint32(part))}, nil
}

// Wrap makes the one stanza of the file.
func (b *blob) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	nonce, body, err := b.key.seal(fileKey, b.aad)
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{Type: stanzaType, Args: []string{b64.EncodeToString(nonce)}, Body: body}}, nil
}

// Unwrap wants exactly the stanza that Wrap makes.
func (b *blob) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != stanzaType || len(stanzas[0].Args) != 1 {
		return nil, fmt.Errorf("%w: want one stanza %s with one argument", ErrFormat, stanzaType)
	}
	nonce, err := b64.DecodeString(stanzas[0].Args[0])
	if err != nil || len(nonce) != nonceSize {
		return nil, fmt.Errorf("%w: nonce is not %d bytes of base64", ErrFormat, nonceSize)
	}
	fileKey, err := b.key.open(nonce, stanzas[0].Body, b.aad)
	if err == nil && len(fileKey) != fileKeySize {
		return nil, fmt.Errorf("%w: file key is not %d bytes", ErrFormat, fileKeySize)
	}
	return fileKey, err
}
