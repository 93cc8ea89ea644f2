package envelope

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// Sealer seals one message: first its attachments, each to a stream, then the
// small body that opens them. It holds the per-message identity mk, prints as
// "redacted", and is not safe for concurrent use.
type Sealer struct {
	msg   string
	mk    hidden[*age.HybridIdentity]
	att   []Attachment
	parts []messaging.Part
}

// File is an attachment to be sealed. Size is in bytes, or -1 when it is not
// known beforehand; another number of bytes from Content is an error.
type File struct {
	Name    string
	Type    string // media type without parameters
	Size    int64
	Content io.Reader
}

// Addressee is a desk with the epoch key the sender took from the directory.
type Addressee struct {
	Desk      string
	Epoch     int64
	Recipient string // age1pq1…
	Role      string // messaging.RoleTo or RoleSelf
}

// Draft is a message before sealing. Core holds all but To, Parts and V, which
// must be empty; From.Key and Msg may be. Text is brought into NFC.
type Draft struct {
	Core messaging.Core
	To   []Addressee
	Text Text
}

// String, GoString keep the text out of every log.
func (d Draft) String() string   { return "redacted" }
func (d Draft) GoString() string { return "redacted" }

// Sealed is a message ready for submission. It holds no secret.
type Sealed struct {
	Notice *messaging.Notice
	Body   []byte // body.age
}

// NewSealer begins the message with this identifier (m_…), under a fresh mk.
func NewSealer(msg string) (*Sealer, error) {
	if err := statement.CheckID("msg", msg, statement.Message); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	mk, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, errors.New("envelope: no key for the message")
	}
	return &Sealer{msg: msg, mk: hide(mk)}, nil
}

// String, GoString keep mk out of every output.
func (s Sealer) String() string   { return "redacted" }
func (s Sealer) GoString() string { return "redacted" }

// Attach seals one attachment to dst in constant memory and returns what the
// core will say of it. On an error what dst received is worthless and the
// message is as before.
func (s *Sealer) Attach(ctx context.Context, f File, dst io.Writer) (messaging.Part, error) {
	if len(s.att) == messaging.MaxParts {
		return messaging.Part{}, fmt.Errorf("envelope: more than %d attachments", messaging.MaxParts)
	}
	a := Attachment{Name: norm.NFC.String(f.Name), Type: f.Type, Size: max(f.Size, 0), SHA256: noHash}
	if err := a.check(); err != nil {
		return messaging.Part{}, fmt.Errorf("envelope: attachment: %w", err)
	}
	if f.Content == nil {
		return messaging.Part{}, errors.New("envelope: attachment: no content")
	}
	out := &outlet{w: dst}
	sealed := newBackgroundHash()
	size, sum, err := sealFile(ctx, f, io.MultiWriter(out, sealed), s.mk().Recipient())
	part := messaging.Part{Len: out.n, SHA256: sealed.Close()}
	if err != nil {
		return messaging.Part{}, fmt.Errorf("envelope: attachment: %w", err)
	}
	a.Size, a.SHA256 = size, sum
	s.att, s.parts = append(s.att, a), append(s.parts, part)
	return part, nil
}

// noHash stands in until the content has been read.
var noHash = hex.EncodeToString(make([]byte, sha256.Size))

// maxFile is the largest attachment, in bytes: the last Padmé length whose
// ciphertext stays within messaging.MaxPart.
const maxFile = messaging.MaxPart - 64<<20

// sealFile encrypts the content and zeros up to its padded length. It returns
// the number of bytes of content and their hex SHA-256.
func sealFile(ctx context.Context, f File, dst io.Writer, to age.Recipient) (int64, string, error) {
	w, err := age.Encrypt(dst, to)
	if err != nil {
		return 0, "", err
	}
	hash := newBackgroundHash()
	size, err := copyChunks(io.MultiWriter(w, hash), io.LimitReader(withContext(ctx, f.Content), maxFile+1))
	sum := hash.Close()
	if err != nil {
		return 0, "", err
	}
	if size > maxFile {
		return 0, "", fmt.Errorf("over %d bytes", int64(maxFile))
	}
	if f.Size >= 0 && size != f.Size {
		return 0, "", fmt.Errorf("%d bytes, but %d were announced", size, f.Size)
	}
	if _, err := io.CopyN(w, zeros{}, paddedPart(size)-size); err != nil {
		return 0, "", err
	}
	return size, sum, w.Close()
}

// Seal makes the body and signs the message. It may be called again, with
// other recipients or times, when the exchange refused the first (a desk
// rotated its key): the attachments stay as they are, rs is fresh each time.
func (s *Sealer) Seal(ctx context.Context, d Draft, signer statement.Signer) (*Sealed, error) {
	rs := make([]byte, rsSize)
	rand.Read(rs) // never fails since Go 1.24
	core, err := s.core(d, rs, signer)
	if err != nil {
		return nil, err
	}
	body, err := s.sealBody(core, d, rs)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	payload, err := statement.Marshal(messaging.Payload{
		Body: messaging.Part{Len: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}, Core: *core, V: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	dsse, err := statement.Sign(ctx, statement.TypeNotice, payload, signer)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	notice, err := messaging.Parse(dsse)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return &Sealed{Notice: notice, Body: body}, nil
}

// core completes the draft's core: parts, recipients with their commitments,
// the signer's key, empty arrays for absent ones.
func (s *Sealer) core(d Draft, rs []byte, signer statement.Signer) (*messaging.Core, error) {
	c := d.Core
	if len(c.To) > 0 || len(c.Parts) > 0 || c.V != 0 {
		return nil, errors.New("envelope: the draft fills to, parts or v itself")
	}
	key := statement.KeyID(signer.Public())
	if c.Msg != "" && c.Msg != s.msg || c.From.Key != "" && c.From.Key != key {
		return nil, errors.New("envelope: the draft names another message or key")
	}
	c.Msg, c.From.Key, c.V = s.msg, key, 1
	c.Parts = append([]messaging.Part{}, s.parts...)
	c.Cats = append([]string{}, c.Cats...)
	c.Obl = append([]messaging.Act{}, c.Obl...)
	c.Subj = append([]string{}, c.Subj...)
	if c.Facts == nil {
		c.Facts = map[string]string{}
	}
	c.To = make([]messaging.Recipient, 0, len(d.To))
	for _, a := range d.To {
		rk, err := RK(a.Recipient)
		if err != nil {
			return nil, err
		}
		ack := messaging.AckCommitment(messaging.AckSecret(rs, a.Desk))
		c.To = append(c.To, messaging.Recipient{Ack: ack[:], Desk: a.Desk, Epoch: a.Epoch, RK: rk, Role: a.Role})
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return &c, nil
}

// sealBody encrypts the padded manifest to every addressee, in their order.
func (s *Sealer) sealBody(core *messaging.Core, d Draft, rs []byte) ([]byte, error) {
	text, err := d.Text.normalize()
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	m := manifest{Att: append([]Attachment{}, s.att...), Core: *core, MK: s.mk().String(), RS: rs, Text: text, V: 1}
	padded, err := m.encode()
	if err != nil {
		return nil, err
	}
	return encryptBody(padded, d.To)
}

func encryptBody(padded []byte, to []Addressee) ([]byte, error) {
	recipients := make([]age.Recipient, 0, len(to))
	for _, a := range to {
		r, err := parseRecipient(a.Recipient)
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, r)
	}
	var body bytes.Buffer
	body.Grow(int(sealedSize(len(to), int64(len(padded)))))
	w, err := age.Encrypt(&body, recipients...)
	if err != nil {
		return nil, errors.New("envelope: the body cannot be sealed to these recipients")
	}
	if _, err := w.Write(padded); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return slices.Clip(body.Bytes()), nil
}
