package envelope

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// Opened is a message whose signature, digests, recipients and sealed core all
// agreed. It prints as "redacted" and is safe for concurrent use.
type Opened struct {
	Notice *messaging.Notice
	Text   Text
	Att    []Attachment // in the order of Notice.Core.Parts

	ack     hidden[[32]byte]
	fileKey FileKey
	mk      hidden[*age.HybridIdentity]
}

// String, GoString keep content and keys out of every output.
func (o Opened) String() string   { return "redacted" }
func (o Opened) GoString() string { return "redacted" }

// AckSecret is s_d of the desk that opened, for messaging.Decrypted. It is zero
// after [OpenDisclosed].
func (o *Opened) AckSecret() [32]byte { return o.ack() }

// MessageIdentity is mk, the age identity that opens every attachment of this
// message and nothing else. Handing it to a court proves what an attachment
// holds without giving up a desk key. It is a secret until then.
func (o *Opened) MessageIdentity() string { return o.mk().String() }

// FileKey is the file key of the body. Handing it to a court proves what the
// body holds; since the body holds mk and rs, it also opens the attachments and
// makes later messaging.Decrypted receipts of this message worthless.
func (o *Opened) FileKey() FileKey { return o.fileKey }

// Open verifies and opens a message for one of its desks. The sender's key
// comes from the directory, the identity is the desk's for the epoch that
// core.to names. What is wrong with the message itself is a [*Failure]; a wrong
// desk or identity is [ErrNotAddressed] or [ErrEpochKey]; a bad signature wraps
// statement.ErrSignature.
func Open(ctx context.Context, d *statement.DSSE, sender ed25519.PublicKey, id *age.HybridIdentity, desk string, body io.Reader) (*Opened, error) {
	n, err := parseVerified(d, sender)
	if err != nil {
		return nil, err
	}
	r, ok := n.Core.Recipient(desk)
	if !ok {
		return nil, ErrNotAddressed
	}
	if rkOf(id.Recipient().String()) != r.RK {
		return nil, ErrEpochKey
	}
	o, rs, err := openBody(ctx, n, id, body)
	if err != nil {
		return nil, err
	}
	o.ack = hide(messaging.AckSecret(rs, desk))
	return o, nil
}

func parseVerified(d *statement.DSSE, sender ed25519.PublicKey) (*messaging.Notice, error) {
	n, err := messaging.Parse(d)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if err := n.Verify(sender); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return n, nil
}

// openBody does what every way of opening shares, with an identity that may be
// a desk's or an injected file key.
func openBody(ctx context.Context, n *messaging.Notice, id age.Identity, body io.Reader) (*Opened, []byte, error) {
	sealed, err := readBody(ctx, n.Payload.Body, body)
	if err != nil {
		return nil, nil, err
	}
	padded, key, err := decryptBody(sealed, len(n.Core.To), id)
	if err != nil {
		return nil, nil, err
	}
	m, mk, err := decodeManifest(padded)
	if err != nil {
		return nil, nil, err
	}
	if err := m.matches(n.Core); err != nil {
		return nil, nil, err
	}
	return &Opened{Notice: n, Text: m.Text, Att: m.Att, ack: hide([32]byte{}), fileKey: key, mk: hide(mk)}, m.RS, nil
}

// readBody reads at most one byte more than was signed and compares.
func readBody(ctx context.Context, want messaging.Part, body io.Reader) ([]byte, error) {
	sealed, err := io.ReadAll(io.LimitReader(withContext(ctx, body), want.Len+1))
	if err != nil {
		return nil, fmt.Errorf("envelope: read body: %w", err)
	}
	sum := sha256.Sum256(sealed)
	if int64(len(sealed)) != want.Len || hex.EncodeToString(sum[:]) != want.SHA256 {
		return nil, &Failure{Code: messaging.FailDigest, what: "the body is not the one that was signed"}
	}
	return sealed, nil
}

// decryptBody opens an age file with so many stanzas, and returns its file key.
func decryptBody(sealed []byte, stanzas int, id age.Identity) ([]byte, FileKey, error) {
	header, err := age.ExtractHeader(bytes.NewReader(sealed))
	if err != nil {
		return nil, FileKey{}, &Failure{Code: messaging.FailHeader, what: "not an age file"}
	}
	key, err := age.DecryptHeader(header, gate{stanzas, id})
	if err != nil {
		return nil, FileKey{}, headerFailure(err)
	}
	plain, err := age.Decrypt(bytes.NewReader(sealed), age.NewInjectedFileKeyIdentity(key))
	if err != nil {
		return nil, FileKey{}, headerFailure(err)
	}
	padded, err := io.ReadAll(io.LimitReader(plain, MaxManifest+1))
	if err != nil || len(padded) > MaxManifest {
		return nil, FileKey{}, &Failure{Code: messaging.FailPayload, what: "the body is truncated, altered or too long"}
	}
	fileKey, err := NewFileKey(key)
	return padded, fileKey, err
}

// gate stands before an identity and lets only the permitted header through:
// so many stanzas, all of the one type. An extra stanza would be a recipient
// nobody signed for; a classical one would undo the hybrid.
type gate struct {
	stanzas int
	id      age.Identity
}

func (g gate) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != g.stanzas {
		return nil, &Failure{Code: messaging.FailStanzas, what: fmt.Sprintf("%d stanzas, want %d", len(stanzas), g.stanzas)}
	}
	for _, s := range stanzas {
		if !isHybrid(s) {
			return nil, &Failure{Code: messaging.FailStanzas, what: "a stanza is not " + stanzaType}
		}
	}
	key, err := g.id.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, &Failure{Code: messaging.FailStanzas, what: "a stanza is malformed"}
	}
	return key, err
}

func isHybrid(s *age.Stanza) bool {
	if s.Type != stanzaType || len(s.Args) != 1 || len(s.Body) != wrapSize {
		return false
	}
	enc, err := base64.RawStdEncoding.Strict().DecodeString(s.Args[0])
	return err == nil && len(enc) == encSize
}

// headerFailure names what age found wrong with a header, without repeating
// any of it.
func headerFailure(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return &Failure{Code: messaging.FailKey, what: "no stanza opens with this key"}
	}
	return &Failure{Code: messaging.FailHeader, what: "the header is malformed or its MAC is wrong"}
}
