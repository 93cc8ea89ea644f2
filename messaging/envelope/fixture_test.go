package envelope

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"os"
	"testing"

	"filippo.io/age"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// Identifiers of the tests: letters only.
var (
	idMsg   = id(statement.Message, 'm')
	idCase  = id(statement.Case, 'c')
	idInst  = id(statement.Institution, 'i')
	idDeskA = id(statement.Desk, 'a') // sends
	idDeskB = id(statement.Desk, 'b')
	idDeskC = id(statement.Desk, 'd')
)

func id(prefix string, letter byte) string {
	return statement.FormatID(prefix, bytes.Repeat([]byte{letter}, 16))
}

// The epoch keys of desks A, B and C are those of testdata/keys.txt.
var (
	vectorKeys             = readKeys("testdata/keys.txt")
	identA, identB, identC = vectorKeys[0], vectorKeys[1], vectorKeys[2]
	signerA                = statement.NewSigningKey(bytes.Repeat([]byte{'A'}, 32))
	signerB                = statement.NewSigningKey(bytes.Repeat([]byte{'B'}, 32))
)

func readKeys(name string) []*age.HybridIdentity {
	f, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	ids, err := age.ParseIdentities(f)
	if err != nil {
		panic(err)
	}
	keys := make([]*age.HybridIdentity, len(ids))
	for i, id := range ids {
		keys[i] = id.(*age.HybridIdentity)
	}
	return keys
}

func newIdentity() *age.HybridIdentity {
	i, err := age.GenerateHybridIdentity()
	if err != nil {
		panic(err)
	}
	return i
}

func addressee(desk string, ident *age.HybridIdentity, role string) Addressee {
	return Addressee{Desk: desk, Epoch: 1, Recipient: ident.Recipient().String(), Role: role}
}

// draft is a complaint from desk A to desk B, with A's own copy.
func draft() Draft {
	return Draft{
		Core: messaging.Core{
			Basis:   messaging.Basis{Code: "legal-obligation", Purpose: "procedure"},
			Case:    idCase,
			Created: 1772441999100,
			Dir:     messaging.DirHead{N: 412, Root: make([]byte, 32)},
			From:    messaging.From{Desk: idDeskA, Inst: idInst},
			Kind:    "complaint",
			Pack:    "rs-a@1",
			Urg:     messaging.Regular,
		},
		To: []Addressee{addressee(idDeskB, identB, messaging.RoleTo), addressee(idDeskA, identA, messaging.RoleSelf)},
		Text: Text{
			Subject: "Предмет",
			Body:    "Текст <дописа> & „наводници“.\n",
			Fields:  map[string]string{"stage": "registered"},
		},
	}
}

// letter is a sealed message with the ciphertext of its attachments.
type letter struct {
	*Sealed
	parts [][]byte
}

// seal makes a letter of a draft and contents.
func seal(t testing.TB, d Draft, contents ...[]byte) letter {
	t.Helper()
	s, err := NewSealer(idMsg)
	if err != nil {
		t.Fatal(err)
	}
	var l letter
	for _, c := range contents {
		var buf bytes.Buffer
		f := File{Name: "прилог.pdf", Type: "application/pdf", Size: int64(len(c)), Content: bytes.NewReader(c)}
		if _, err := s.Attach(context.Background(), f, &buf); err != nil {
			t.Fatal(err)
		}
		l.parts = append(l.parts, buf.Bytes())
	}
	if l.Sealed, err = s.Seal(context.Background(), d, signerA); err != nil {
		t.Fatal(err)
	}
	return l
}

// open opens a letter as desk B.
func open(l letter) (*Opened, error) {
	return Open(context.Background(), l.Notice.DSSE, publicOf(signerA), identB, idDeskB, bytes.NewReader(l.Body))
}

func publicOf(k statement.SigningKey) ed25519.PublicKey { return k.Public() }

// read returns the content of part n.
func read(o *Opened, n int, ciphertext []byte) ([]byte, error) {
	var buf bytes.Buffer
	err := o.OpenPart(context.Background(), n, Seekable(bytes.NewReader(ciphertext)), &buf)
	return buf.Bytes(), err
}
