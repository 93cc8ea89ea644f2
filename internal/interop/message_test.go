package interop

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// letter is one sealed message with an attachment, addressed to another desk
// and to the sender's own.
type letter struct {
	sealed     *envelope.Sealed
	attachment []byte // plaintext
	part       []byte // att_1.age
	desk       *age.HybridIdentity
	own        *age.HybridIdentity
	officer    statement.SigningKey
	env        []byte // envelope.dsse.json
}

func seal(t *testing.T) *letter {
	t.Helper()
	l := &letter{
		attachment: bytes.Repeat([]byte("a page of the file\n"), 700),
		desk:       identity(t), own: identity(t),
		officer: statement.NewSigningKey(bytes.Repeat([]byte{7}, 32)),
	}
	msg, from := statement.NewID(statement.Message), statement.NewID(statement.Desk)
	s, err := envelope.NewSealer(msg)
	if err != nil {
		t.Fatal(err)
	}
	var part bytes.Buffer
	file := envelope.File{Name: "spis.txt", Type: "text/plain", Size: int64(len(l.attachment)), Content: bytes.NewReader(l.attachment)}
	if _, err := s.Attach(context.Background(), file, &part); err != nil {
		t.Fatal(err)
	}
	l.part = part.Bytes()
	draft := envelope.Draft{
		Core: messaging.Core{
			Basis: messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
			Case:  statement.NewID(statement.Case), Cats: []string{"identity"}, Created: 1772442000000,
			Dir: messaging.DirHead{N: 412, Root: make([]byte, 32)}, Facts: map[string]string{},
			From: messaging.From{Desk: from, Inst: statement.NewID(statement.Institution)},
			Kind: "complaint", Obl: []messaging.Act{}, Pack: "rs-a@1",
			Subj: []string{statement.NewID(statement.Person)}, Urg: messaging.Regular,
		},
		To: []envelope.Addressee{
			{Desk: statement.NewID(statement.Desk), Epoch: 3, Recipient: l.desk.Recipient().String(), Role: messaging.RoleTo},
			{Desk: from, Epoch: 7, Recipient: l.own.Recipient().String(), Role: messaging.RoleSelf},
		},
		Text: envelope.Text{Subject: "допис", Body: "ćirilica i latinica", Fields: map[string]string{}},
	}
	if l.sealed, err = s.Seal(context.Background(), draft, l.officer); err != nil {
		t.Fatal(err)
	}
	if l.env, err = l.sealed.Notice.DSSE.Encode(); err != nil {
		t.Fatal(err)
	}
	return l
}

func identity(t *testing.T) *age.HybridIdentity {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (l *letter) box(t *testing.T) *box {
	t.Helper()
	b := newBox(t)
	b.put("body.age", l.sealed.Body)
	b.put("att_1.age", l.part)
	b.put("envelope.dsse.json", l.env)
	b.put("desk.txt", []byte(l.desk.String()+"\n"))
	b.put("own.txt", []byte(l.own.String()+"\n"))
	return b
}

// Whoever holds an exported identity opens a message with age's own program:
// the body, and through the key in it the attachment, whose digest and size the
// manifest names.
func TestAgeOpensBodyAndAttachment(t *testing.T) {
	l := seal(t)
	b := l.box(t)
	for _, identity := range []string{"desk.txt", "own.txt"} {
		got := b.must(`
			age -d -i $IDENTITY body.age > manifest.json
			jq -r .mk manifest.json > mk.txt
			age -d -i mk.txt att_1.age | head -c "$(jq -r '.att[0].size' manifest.json)" > file
			test "$(sha256sum < file)" = "$(jq -r '.att[0].sha256' manifest.json)  -"
			cmp <(jq -cS .core manifest.json) <(jq -r .payload envelope.dsse.json | base64 -d | jq -cS .core)
			jq -r .text.subject manifest.json
			cat file`, "IDENTITY="+identity)
		if want := "допис\n" + strings.TrimSpace(string(l.attachment)); got != want {
			t.Errorf("%s: got %d bytes, want %d", identity, len(got), len(want))
		}
	}
}

// A stranger's identity opens nothing, and a changed byte or a missing end is
// noticed: the checks above are able to fail.
func TestAgeRefuses(t *testing.T) {
	l := seal(t)
	b := l.box(t)
	b.put("stranger.txt", []byte(identity(t).String()+"\n"))
	changed := bytes.Clone(l.sealed.Body)
	changed[len(changed)-1] ^= 1
	b.put("changed.age", changed)
	b.put("cut.age", l.sealed.Body[:len(l.sealed.Body)-20])
	for _, script := range []string{
		"age -d -i stranger.txt body.age",
		"age -d -i desk.txt changed.age",
		"age -d -i desk.txt cut.age",
		"age -d -i desk.txt att_1.age",
	} {
		if _, err := b.run(script + " > out"); err == nil {
			t.Errorf("%s: succeeded", script)
		}
	}
}

// What is sealed names exactly as many recipients as the core, all post-quantum,
// and nobody else.
func TestAgeInspect(t *testing.T) {
	l := seal(t)
	got := l.box(t).must(`
		age-inspect --json body.age  | jq -r '.stanza_types | join(" ")'
		age-inspect --json att_1.age | jq -r '.stanza_types | join(" ")'
		jq -r .payload envelope.dsse.json | base64 -d | jq '.core.to | length'`)
	if want := "mlkem768x25519 mlkem768x25519\nmlkem768x25519\n2"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An officer's signature is checked with nothing but openssl and jq.
func TestOpenSSLVerifiesSignature(t *testing.T) {
	l := seal(t)
	b := l.box(t)
	b.put("pub.der", publicDER(t, l.officer))
	b.put("other.der", publicDER(t, statement.NewSigningKey(bytes.Repeat([]byte{8}, 32))))
	pae := `
		jq -r .payload envelope.dsse.json | base64 -d > payload.bin
		TYPE=$(jq -r .payloadType envelope.dsse.json)
		{ printf 'DSSEv1 %d %s %d ' "${#TYPE}" "$TYPE" "$(stat -c %s payload.bin)"; cat payload.bin; } > pae.bin
		jq -r '.signatures[0].sig' envelope.dsse.json | base64 -d > sig.bin
		`
	verify := `openssl pkeyutl -verify -pubin -keyform DER -inkey $KEY -rawin -in pae.bin -sigfile sig.bin`
	if got := b.must(pae+verify, "KEY=pub.der"); !strings.Contains(got, "Signature Verified Successfully") {
		t.Errorf("openssl says %q", got)
	}
	if _, err := b.run(pae+verify, "KEY=other.der"); err == nil {
		t.Error("verifies under another key")
	}
	if _, err := b.run(pae+`printf x >> pae.bin; `+verify, "KEY=pub.der"); err == nil {
		t.Error("verifies over other bytes")
	}
	keyID := b.must(`tail -c 32 pub.der | sha256sum | cut -d' ' -f1`)
	if want := b.must(`jq -r '.signatures[0].keyid' envelope.dsse.json`); "ed25519:"+keyID != want {
		t.Errorf("key id %s, want %s", keyID, want)
	}
}
