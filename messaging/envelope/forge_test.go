package envelope

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// forgery is what a hostile sender's program does differently, at each stage;
// digests and signature are then made to fit.
type forgery struct {
	core       func(*messaging.Core)                 // before it is sealed and signed
	manifest   func(*manifest)                       // sealed only
	padded     func([]byte) []byte                   // the manifest's bytes
	recipients func([]age.Recipient) []age.Recipient // whom the body is sealed to
	body       func([]byte) []byte                   // the ciphertext
	signed     func(*messaging.Core)                 // signed only
}

// forge makes a letter to desks B and A, with one attachment, all wrong in the
// way the forgery says and signed by A.
func forge(t testing.TB, f forgery, contents ...[]byte) letter {
	t.Helper()
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	var l letter
	for _, c := range contents {
		l.parts = append(l.parts, attach(t, s, c))
	}
	d := draft()
	rs := make([]byte, rsSize)
	rand.Read(rs)
	core, err := s.core(d, rs, signerA)
	if err != nil {
		t.Fatal(err)
	}
	call(f.core, core)
	m := manifest{Att: append([]Attachment{}, s.att...), Core: *core, MK: s.mk().String(), RS: rs, Text: d.Text, V: 1}
	call(f.manifest, &m)
	l.Sealed = signForged(t, f, core, f.sealed(t, &m, d.To))
	return l
}

func call[T any](change func(*T), v *T) {
	if change != nil {
		change(v)
	}
}

// sealed pads and encrypts the manifest, wrongly where the forgery says so.
func (f forgery) sealed(t testing.TB, m *manifest, to []Addressee) []byte {
	t.Helper()
	padded, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if f.padded != nil {
		padded = f.padded(padded)
	}
	var recipients []age.Recipient
	for _, a := range to {
		r, err := age.ParseHybridRecipient(a.Recipient)
		if err != nil {
			t.Fatal(err)
		}
		recipients = append(recipients, r)
	}
	if f.recipients != nil {
		recipients = f.recipients(recipients)
	}
	body := encrypt(t, padded, recipients...)
	if f.body != nil {
		body = f.body(body)
	}
	return body
}

func signForged(t testing.TB, f forgery, core *messaging.Core, body []byte) *Sealed {
	t.Helper()
	signed := *core
	call(f.signed, &signed)
	payload, err := statement.Marshal(messaging.Payload{Body: partOf(body), Core: signed, V: 1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Sign(context.Background(), statement.TypeNotice, payload, signerA)
	if err != nil {
		t.Fatal(err)
	}
	n, err := messaging.Parse(d)
	if err != nil {
		t.Fatal(err)
	}
	return &Sealed{Notice: n, Body: body}
}

func attach(t testing.TB, s *Sealer, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	f := File{Name: "a.pdf", Type: "application/pdf", Size: int64(len(content)), Content: bytes.NewReader(content)}
	if _, err := s.Attach(context.Background(), f, &buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func encrypt(t testing.TB, plain []byte, to ...age.Recipient) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := age.Encrypt(&buf, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func partOf(ciphertext []byte) messaging.Part {
	sum := sha256.Sum256(ciphertext)
	return messaging.Part{Len: int64(len(ciphertext)), SHA256: hex.EncodeToString(sum[:])}
}

// loose hides the label by which age keeps classical and hybrid recipients
// apart, as a hostile program would.
type loose struct{ age.Recipient }

// otherKey wraps not the file key but another one: the second text of a
// message that shows two recipients different things.
type otherKey struct{ r *age.HybridRecipient }

func (o otherKey) Wrap([]byte) ([]*age.Stanza, error) {
	return loose{o.r}.Wrap(bytes.Repeat([]byte{7}, 16))
}

func (o otherKey) WrapWithLabels(key []byte) ([]*age.Stanza, []string, error) {
	s, err := o.Wrap(key)
	return s, []string{"postquantum"}, err
}

// bent changes the stanza a recipient makes.
type bent struct {
	age.Recipient
	change func(*age.Stanza)
}

func (b bent) Wrap(key []byte) ([]*age.Stanza, error) {
	stanzas, err := b.Recipient.Wrap(key)
	if err == nil {
		b.change(stanzas[0])
	}
	return stanzas, err
}

func loosen(rs []age.Recipient) []age.Recipient {
	out := make([]age.Recipient, len(rs))
	for i, r := range rs {
		out[i] = loose{r}
	}
	return out
}
