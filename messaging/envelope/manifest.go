package envelope

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"
	"golang.org/x/text/unicode/norm"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// Limits of what is sealed.
const (
	MaxSubject  = 1024 // bytes
	MaxFields   = 64
	MaxFileName = 255 // bytes
	rsSize      = 32
)

// Text is the sealed content: a subject line, a body, and the fields of the
// message's kind by code. It prints as "redacted"; its JSON is the content.
type Text struct {
	Body    string            `json:"body"`
	Fields  map[string]string `json:"fields"`
	Subject string            `json:"subject"`
}

// String, GoString and LogValue keep the content out of every log.
func (t Text) String() string       { return "redacted" }
func (t Text) GoString() string     { return "redacted" }
func (t Text) LogValue() slog.Value { return slog.StringValue("redacted") }

// Attachment is what the manifest says of one attachment, as plaintext.
type Attachment struct {
	Name   string `json:"name"`   // a base name, at most 255 bytes
	SHA256 string `json:"sha256"` // hex
	Size   int64  `json:"size"`   // bytes
	Type   string `json:"type"`   // media type without parameters
}

// String, GoString and LogValue keep the name out of every log.
func (a Attachment) String() string       { return "redacted" }
func (a Attachment) GoString() string     { return "redacted" }
func (a Attachment) LogValue() slog.Value { return slog.StringValue("redacted") }

// manifest is the plaintext of body.age before padding. It holds secrets and
// therefore never leaves this package.
type manifest struct {
	Att  []Attachment   `json:"att"`
	Core messaging.Core `json:"core"`
	MK   string         `json:"mk"`
	RS   []byte         `json:"rs"`
	Text Text           `json:"text"`
	V    int            `json:"v"`
}

// encode returns the manifest padded with spaces.
func (m *manifest) encode() ([]byte, error) {
	data, err := statement.Marshal(m)
	if err != nil {
		return nil, errors.New("envelope: the text or a file name is not valid UTF-8 in NFC")
	}
	if len(data) > MaxManifest {
		return nil, fmt.Errorf("envelope: the text takes %d bytes, at most %d", len(data), MaxManifest)
	}
	padded := bytes.Repeat([]byte{' '}, int(paddedBody(int64(len(data)))))
	copy(padded, data)
	return padded, nil
}

// decodeManifest reads a padded manifest and checks all of it but its relation
// to the signed payload. Errors name members and never repeat content.
func decodeManifest(padded []byte) (*manifest, *age.HybridIdentity, error) {
	data := bytes.TrimRight(padded, " ")
	if len(data) > MaxManifest || int64(len(padded)) != paddedBody(int64(len(data))) {
		return nil, nil, &Failure{Code: messaging.FailPayload, what: "padding is not that of its length"}
	}
	var m manifest
	if err := statement.Unmarshal(data, &m); err != nil {
		return nil, nil, &Failure{Code: messaging.FailManifest, what: "not canonical JSON of a manifest"}
	}
	mk, err := m.check()
	if err != nil {
		return nil, nil, &Failure{Code: messaging.FailManifest, what: err.Error()}
	}
	return &m, mk, nil
}

func (m *manifest) check() (*age.HybridIdentity, error) {
	if m.V != 1 {
		return nil, errors.New("v: not a version this program knows")
	}
	if len(m.RS) != rsSize {
		return nil, errors.New("rs: not 32 bytes")
	}
	if len(m.Att) > messaging.MaxParts {
		return nil, errors.New("att: too many")
	}
	for _, a := range m.Att {
		if err := a.check(); err != nil {
			return nil, err
		}
	}
	if err := m.Text.check(); err != nil {
		return nil, err
	}
	mk, err := age.ParseHybridIdentity(m.MK)
	if err != nil || mk.String() != m.MK {
		return nil, errors.New("mk: not a hybrid age identity")
	}
	return mk, nil
}

func (t Text) check() error {
	if len(t.Subject) > MaxSubject || strings.ContainsFunc(t.Subject, unicode.IsControl) {
		return errors.New("text.subject: too long, or with a control character")
	}
	if len(t.Fields) > MaxFields {
		return errors.New("text.fields: too many")
	}
	for name := range t.Fields {
		if !statement.IsCode(name) {
			return errors.New("text.fields: a name is not a code")
		}
	}
	return nil
}

var mediaType = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$`)

func (a Attachment) check() error {
	if !isFileName(a.Name) {
		return errors.New("att.name: not a plain file name")
	}
	if !mediaType.MatchString(a.Type) {
		return errors.New("att.type: not a media type")
	}
	if a.Size < 0 || SealedSize(a.Size) > messaging.MaxPart {
		return errors.New("att.size: out of range")
	}
	if !statement.IsHash(a.SHA256) {
		return errors.New("att.sha256: not the hex of 32 bytes")
	}
	return nil
}

// isFileName accepts what can be saved under its own name without leaving a
// folder or deceiving the eye: no separators, no leading dot, and no control or
// format characters (a right-to-left override hides an extension).
func isFileName(s string) bool {
	if s == "" || len(s) > MaxFileName || s[0] == '.' || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r == '/' || r == '\\' || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	})
}

// normalize brings text typed by people into NFC, the one form that is sealed.
func (t Text) normalize() (Text, error) {
	fields := make(map[string]string, len(t.Fields))
	for name, value := range t.Fields {
		fields[name] = norm.NFC.String(value)
	}
	n := Text{Body: norm.NFC.String(t.Body), Fields: fields, Subject: norm.NFC.String(t.Subject)}
	for _, s := range slices.AppendSeq([]string{t.Body, t.Subject}, maps.Values(t.Fields)) {
		if !utf8.ValidString(s) {
			return Text{}, errors.New("text: not valid UTF-8")
		}
	}
	return n, n.check()
}

// matches holds the manifest against the signed core: the same core byte for
// byte, one description per part, every commitment derived from rs.
func (m *manifest) matches(core *messaging.Core) error {
	sealed, err := statement.Marshal(m.Core)
	if err != nil {
		return &Failure{Code: messaging.FailCore, what: "the sealed core is malformed"}
	}
	signed, err := statement.Marshal(core)
	if err != nil || !bytes.Equal(sealed, signed) {
		return &Failure{Code: messaging.FailCore, what: "the sealed core is not the signed core"}
	}
	if len(m.Att) != len(core.Parts) {
		return &Failure{Code: messaging.FailAttachment, what: "not one description per part"}
	}
	for i, a := range m.Att {
		if core.Parts[i].Len != SealedSize(a.Size) {
			return &Failure{Code: messaging.FailAttachment, what: "a part has not the length its size gives"}
		}
	}
	return m.checkAcks(core)
}

// checkAcks recomputes the commitment of every desk, not only of the reader's:
// all recipients then see the same fault.
func (m *manifest) checkAcks(core *messaging.Core) error {
	for _, r := range core.To {
		sum := messaging.AckCommitment(messaging.AckSecret(m.RS, r.Desk))
		if subtle.ConstantTimeCompare(sum[:], r.Ack) != 1 {
			return &Failure{Code: messaging.FailAck, what: "a commitment does not follow from rs"}
		}
	}
	return nil
}
