package envelope

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

func TestSealRefuses(t *testing.T) {
	classical, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to := func(recipient string) func(*Draft) { return func(d *Draft) { d.To[0].Recipient = recipient } }
	for name, tt := range map[string]struct {
		want   string
		change func(*Draft)
	}{
		"classical recipient":   {"not a hybrid", to(classical.Recipient().String())},
		"identity as recipient": {"not a hybrid", to(identB.String())},
		"recipient in capitals": {"not a hybrid", to(strings.ToUpper(identB.Recipient().String()))},
		"recipient with space":  {"not a hybrid", to(identB.Recipient().String() + "\n")},
		"no recipient":          {"not a hybrid", to("")},
		"nobody":                {"core.to", func(d *Draft) { d.To = nil }},
		"only oneself":          {"core.to", func(d *Draft) { d.To = d.To[1:] }},
		"a desk twice":          {"core.to", func(d *Draft) { d.To[1] = d.To[0] }},
		"epoch 0":               {"core.to", func(d *Draft) { d.To[0].Epoch = 0 }},
		"to filled in":          {"fills to", func(d *Draft) { d.Core.To = make([]messaging.Recipient, 1) }},
		"parts filled in":       {"fills to", func(d *Draft) { d.Core.Parts = make([]messaging.Part, 1) }},
		"version filled in":     {"fills to", func(d *Draft) { d.Core.V = 1 }},
		"another message":       {"another message", func(d *Draft) { d.Core.Msg = id("m", 'z') }},
		"another key":           {"another message", func(d *Draft) { d.Core.From.Key = statement.KeyID(signerB.Public()) }},
		"no kind":               {"core.kind", func(d *Draft) { d.Core.Kind = "" }},
		"text not UTF-8":        {"UTF-8", func(d *Draft) { d.Text.Body = "a\xff" }},
		"field not UTF-8":       {"UTF-8", func(d *Draft) { d.Text.Fields["stage"] = "a\xff" }},
		"subject over lines":    {"text.subject", func(d *Draft) { d.Text.Subject = "a\r\nb" }},
		"subject too long":      {"text.subject", func(d *Draft) { d.Text.Subject = strings.Repeat("a", MaxSubject+1) }},
		"field not a code":      {"text.fields", func(d *Draft) { d.Text.Fields["Stage"] = "" }},
		"65 fields":             {"text.fields", func(d *Draft) { d.Text.Fields = manyFields(MaxFields + 1) }},
		"text too long":         {"at most 1048576", func(d *Draft) { d.Text.Body = strings.Repeat("a", MaxManifest) }},
		"ref not NFC":           {"NFC", func(d *Draft) { d.Core.Basis.Ref = "c\u030c" }},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := NewSealer(idMsg)
			if err != nil {
				t.Fatal(err)
			}
			d := draft()
			tt.change(&d)
			_, err = s.Seal(context.Background(), d, signerA)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want an error with %q", err, tt.want)
			}
			discreet(t, err)
		})
	}
}

func manyFields(n int) map[string]string {
	fields := make(map[string]string, n)
	for i := range n {
		fields["f"+strings.Repeat("a", i/10)+string(rune('0'+i%10))] = "x"
	}
	return fields
}

// TestSealLongest fills the manifest to its last byte.
func TestSealLongest(t *testing.T) {
	d := draft()
	d.Text.Fields, d.Text.Subject = manyFields(MaxFields), strings.Repeat("a", MaxSubject)
	d.Text.Body = ""
	empty := seal(t, d)
	padded, _, err := decryptBody(empty.Body, 2, identB)
	if err != nil {
		t.Fatal(err)
	}
	room := MaxManifest - len(bytes.TrimRight(padded, " "))
	d.Text.Body = strings.Repeat("a", room)
	l := seal(t, d)
	if o, err := open(l); err != nil || o.Text.Body != d.Text.Body {
		t.Errorf("longest text: %v", err)
	}
	if int64(len(l.Body)) != sealedSize(2, MaxManifest) {
		t.Errorf("body of %d bytes, want %d", len(l.Body), sealedSize(2, MaxManifest))
	}
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	d.Text.Body += "a"
	if _, err := s.Seal(context.Background(), d, signerA); err == nil {
		t.Error("one byte more is accepted")
	}
}

// TestSealMostRecipients: the longest body to 32 desks stays within MaxBody.
func TestSealMostRecipients(t *testing.T) {
	if got := sealedSize(messaging.MaxRecipients, MaxManifest); got > messaging.MaxBody {
		t.Errorf("longest body takes %d bytes, over %d", got, messaging.MaxBody)
	}
	d := draft()
	d.To = d.To[:0]
	for i := range messaging.MaxRecipients {
		d.To = append(d.To, addressee(id("d", byte(i+1)), identB, messaging.RoleTo))
	}
	l := seal(t, d)
	if int64(len(l.Body)) != sealedSize(messaging.MaxRecipients, 16<<10) {
		t.Errorf("body of %d bytes, want %d", len(l.Body), sealedSize(messaging.MaxRecipients, 16<<10))
	}
	_, err := Open(context.Background(), l.Notice.DSSE, publicOf(signerA), identB, id("d", 32), bytes.NewReader(l.Body))
	if err != nil {
		t.Errorf("as the last desk: %v", err)
	}
}

// TestSealNormalizes: text typed on a machine that decomposes letters is the
// same text.
func TestSealNormalizes(t *testing.T) {
	d := draft()
	d.Text = Text{Subject: "c\u030c", Body: "z\u030c", Fields: map[string]string{"a": "s\u030c"}}
	o, err := open(seal(t, d))
	if err != nil {
		t.Fatal(err)
	}
	if o.Text.Subject != "č" || o.Text.Body != "ž" || o.Text.Fields["a"] != "š" {
		t.Errorf("%q %q %q", o.Text.Subject, o.Text.Body, o.Text.Fields["a"])
	}
	if d.Text.Fields["a"] != "s\u030c" {
		t.Error("the caller's draft was changed")
	}
}

// TestSealAgain: a desk rotated its key. Attachments stay; secrets do not.
func TestSealAgain(t *testing.T) {
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	part := attach(t, s, []byte("content"))
	d := draft()
	first, err := s.Seal(context.Background(), d, signerA)
	if err != nil {
		t.Fatal(err)
	}
	d.To[0] = Addressee{Desk: idDeskB, Epoch: 2, Recipient: identC.Recipient().String(), Role: messaging.RoleTo}
	second, err := s.Seal(context.Background(), d, signerA)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(context.Background(), second.Notice.DSSE, publicOf(signerA), identC, idDeskB, bytes.NewReader(second.Body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(o, 0, part); err != nil || string(got) != "content" {
		t.Errorf("attachment after sealing again: %q, %v", got, err)
	}
	secret := o.AckSecret()
	if first.Notice.Core.CheckAck(idDeskB, secret[:]) == nil {
		t.Error("the second message's secret answers for the first: rs was used twice")
	}
	if _, err := Open(context.Background(), second.Notice.DSSE, publicOf(signerA), identB, idDeskB, bytes.NewReader(second.Body)); !errors.Is(err, ErrEpochKey) {
		t.Errorf("the old epoch: %v", err)
	}
}

func TestSealSigner(t *testing.T) {
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(context.Background(), draft(), lockedKey{}); !errors.Is(err, errLocked) {
		t.Errorf("signer's error: %v", err)
	}
	if _, err := NewSealer(idCase); err == nil {
		t.Error("NewSealer accepts another identifier")
	}
}

var errLocked = errors.New("locked")

type lockedKey struct{}

func (lockedKey) Public() ed25519.PublicKey { return signerA.Public() }
func (lockedKey) Sign(context.Context, []byte) ([]byte, error) {
	return nil, errLocked
}

func TestAttachRefuses(t *testing.T) {
	broken := errors.New("broken")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	good := File{Name: "a.pdf", Type: "application/pdf", Size: 3, Content: strings.NewReader("abc")}
	for name, tt := range map[string]struct {
		ctx    context.Context
		change func(*File)
		dst    io.Writer
		want   string
	}{
		"fewer bytes":        {context.Background(), func(f *File) { f.Size = 4 }, io.Discard, "3 bytes, but 4 were announced"},
		"more bytes":         {context.Background(), func(f *File) { f.Size = 2 }, io.Discard, "3 bytes, but 2 were announced"},
		"too large a file":   {context.Background(), func(f *File) { f.Size = maxFile + 1 }, io.Discard, "att.size"},
		"read error":         {context.Background(), func(f *File) { f.Content = iotest.ErrReader(broken) }, io.Discard, "broken"},
		"write error":        {context.Background(), func(f *File) {}, fullDisk{broken}, "broken"},
		"cancelled":          {cancelled, func(f *File) {}, io.Discard, "canceled"},
		"no content":         {context.Background(), func(f *File) { f.Content = nil }, io.Discard, "no content"},
		"no name":            {context.Background(), func(f *File) { f.Name = "" }, io.Discard, "att.name"},
		"type":               {context.Background(), func(f *File) { f.Type = "text/plain; charset=utf-8" }, io.Discard, "att.type"},
		"type in capitals":   {context.Background(), func(f *File) { f.Type = "Text/Plain" }, io.Discard, "att.type"},
		"type of 64 letters": {context.Background(), func(f *File) { f.Type = "a/" + strings.Repeat("a", 64) }, io.Discard, "att.type"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := NewSealer(idMsg)
			if err != nil {
				t.Fatal(err)
			}
			f := good
			f.Content = strings.NewReader("abc")
			tt.change(&f)
			_, err = s.Attach(tt.ctx, f, tt.dst)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want an error with %q", err, tt.want)
			}
			if len(s.att) != 0 || len(s.parts) != 0 {
				t.Error("the message keeps a trace of it")
			}
			discreet(t, err)
		})
	}
}

// TestAttachMost: 64 attachments, of known and unknown size, and no 65th.
func TestAttachMost(t *testing.T) {
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	f := func(n int) File {
		return File{Name: "a", Type: "a/b", Size: int64(n%2)*2 - 1, Content: strings.NewReader("x")}
	}
	for n := range messaging.MaxParts {
		if _, err := s.Attach(context.Background(), f(n), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Attach(context.Background(), f(0), io.Discard); err == nil {
		t.Error("a 65th attachment is accepted")
	}
	m, err := s.Seal(context.Background(), draft(), signerA)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := open(letter{Sealed: m}); err != nil || len(o.Att) != messaging.MaxParts {
		t.Errorf("%v", err)
	}
}

func TestFileNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"извештај 1.pdf": true, "a": true, "a:b": true, "a b": true, "„a“.pdf": true,
		strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
		"": false, ".": false, "..": false, ".profile": false, "a/b": false, `a\b`: false, "../a": false,
		"a\x00b": false, "a\nb": false, "a\x7f": false, "a\u0085b": false, "a\u2028b": false, "a\u2029b": false,
		"fdp.\u202etxt": false, "a\u2066b": false, "a\u200fb": false, "\ufeffa": false, "a\xff": false,
	} {
		if got := isFileName(name); got != ok {
			t.Errorf("%q: %v, want %v", name, got, ok)
		}
	}
}

func TestRK(t *testing.T) {
	if _, err := RK(identB.Recipient().String()); err != nil {
		t.Error(err)
	}
	if _, err := RK(identB.String()); !errors.Is(err, ErrRecipient) || strings.Contains(err.Error(), "AGE-") {
		t.Errorf("of an identity: %v", err)
	}
}
